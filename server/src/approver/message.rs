//! What an approver is asked and what it answers.

use crate::core::approval::{Verdict, check_form, check_tags, told};
use crate::storage::Rejection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use syncstore::protocol::{Code, Json, Limits, Object, Op, OpKind, PushOutcome, Ref, Relation, Rev};

/// Operations that an approver is to decide.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The database that they are for.
    pub database: String,
    /// In the order in which they came; those of one batch stand together.
    pub ops: Vec<AskedOp>,
}

/// An operation that an approver is to decide.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskedOp {
    /// The operation as it was sent. Of a batch, `of` counts the ops that are not listed too.
    pub op: Op,
    /// Who sent it.
    pub user: String,
    /// When it came (RFC 3339).
    pub at: String,
    /// Its item as it is; `None`: there is none, or it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemNow>,
    /// Its item is there, and is not told, since the items of the request are as large as they may be together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub item_left_out: bool,
}

/// An item as it is when an approver is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemNow {
    /// Its rev.
    pub rev: Rev,
    /// Its value.
    pub value: Json,
    /// Its index entries, name to ordering key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, String>,
    /// Its relations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// An approver's answer. Each part is read by itself, so that one that is wrong costs the others nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ApprovalResponse {
    /// [`OpAnswer`]s, in any order.
    pub answers: Vec<Json>,
}

impl FromIterator<OpAnswer> for ApprovalResponse {
    fn from_iter<I: IntoIterator<Item = OpAnswer>>(answers: I) -> ApprovalResponse {
        let text = |answer: OpAnswer| Json::from_serialize(&answer).unwrap_or_else(|_| Json::null());
        ApprovalResponse { answers: answers.into_iter().map(text).collect() }
    }
}

/// What becomes of one operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpAnswer {
    /// The operation.
    #[serde(rename = "ref")]
    pub op_ref: Ref,
    /// `accepted` or `rejected`.
    pub outcome: PushOutcome,
    /// Accepted in this form instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Form>,
    /// Accepted with these tags on the item, besides those that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why it is rejected; `policy` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The reason for a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
}

impl OpAnswer {
    /// The operation may be committed as it was sent.
    pub fn accepted(op_ref: Ref) -> OpAnswer {
        let (op, tags) = (None, Vec::new());
        OpAnswer { op_ref, outcome: PushOutcome::Accepted, op, tags, code: None, message: None, detail: None }
    }

    /// The operation is refused with code `policy`.
    pub fn rejected(op_ref: Ref, message: impl Into<String>) -> OpAnswer {
        let message = Some(message.into());
        OpAnswer { outcome: PushOutcome::Rejected, message, ..OpAnswer::accepted(op_ref) }
    }

    /// What the server is to make of it, or what is wrong with it.
    pub(crate) fn verdict(self, asked: &Op, limits: &Limits) -> Result<Verdict, String> {
        match self.outcome {
            PushOutcome::Accepted => {
                let form = self.op.map(|form| Box::new(form.into_op(asked)));
                let fits = form.as_ref().map_or(Ok(()), |form| check_form(asked, form, limits));
                match fits.and_then(|()| check_tags(&self.tags, limits)) {
                    Ok(()) => Ok(Verdict::Accepted { form, tags: self.tags }),
                    Err(fault) if fault.code == Code::TOO_LARGE => {
                        let message = format!("what the approver made of it: {}", fault.message);
                        Ok(Verdict::Unfit(Rejection { message, ..fault }))
                    }
                    Err(fault) => Err(format!("its op or tags: {}", fault.message)),
                }
            }
            PushOutcome::Rejected => Ok(Verdict::Rejected(told(Rejection {
                code: self.code.unwrap_or(Code::POLICY),
                message: self.message.unwrap_or_default(),
                detail: self.detail,
            }))),
            _ => Err("its outcome is neither accepted nor rejected".to_owned()),
        }
    }
}

/// Another operation on the same item, in the form of section 2 of the protocol without a ref.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Form {
    /// What it does.
    #[serde(rename = "op")]
    pub kind: OpKind,
    /// The item's collection, if it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// The item's key, if it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The rev that it was made on; without one, that of the operation as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Rev>,
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub patch: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Form {
    /// A set of the item's value.
    pub fn set(value: Json) -> Form {
        Form { value: Some(value), ..Form::of(OpKind::Set) }
    }

    /// An op on the value without a payload.
    pub fn of(kind: OpKind) -> Form {
        Form {
            kind,
            collection: None,
            key: None,
            base: None,
            value: None,
            patch: None,
            index: None,
            order: None,
            relation: None,
            predicate: None,
            object: None,
            tag: None,
        }
    }

    fn into_op(self, asked: &Op) -> Op {
        let collection = self.collection.unwrap_or_else(|| asked.collection.clone());
        let key = self.key.unwrap_or_else(|| asked.key.clone());
        Op {
            value: self.value,
            patch: self.patch,
            base: self.base,
            index: self.index,
            order: self.order,
            relation: self.relation,
            predicate: self.predicate,
            object: self.object,
            tag: self.tag,
            ..Op::new(asked.op_ref, self.kind, collection, key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(answer: &str) -> Result<Verdict, String> {
        let mut asked = Op::new(Ref::from_parts(1, 1), OpKind::Set, "ask", "k");
        asked.value = Some(Json::null());
        let text = answer.replace("REF", &asked.op_ref.to_string());
        let answer: OpAnswer = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        answer.verdict(&asked, &Limits::default())
    }

    #[test]
    fn a_form_is_on_the_same_item_and_within_the_limits() {
        for (form, wrong) in [
            (r#"{"op":"set"}"#, "a set needs a value"),
            (r#"{"op":"set","value":1,"key":"other"}"#, "it is on another item"),
            (r#"{"op":"set","value":1,"collection":"other"}"#, "it is on another item"),
            (r#"{"op":"delete","value":1}"#, ""),
            (r#"{"op":"patch","patch":1}"#, ""),
            (r#"{"op":"set","tag":"","value":1}"#, ""),
            (r#"{"op":"burn"}"#, "unknown variant"),
        ] {
            let answer = format!(r#"{{"ref":"REF","outcome":"accepted","op":{form}}}"#);
            let error = verdict(&answer).map(drop);
            if form.contains("\"patch\":1") {
                // Whether a patch is one is found out where it is applied, like that of a client.
                assert!(error.is_ok());
                continue;
            }
            assert!(error.unwrap_err().contains(wrong), "{form}");
        }
        let long = "x".repeat(2 << 20);
        let answer = format!(r#"{{"ref":"REF","outcome":"accepted","op":{{"op":"set","value":"{long}"}}}}"#);
        // Asked again it would say the same.
        assert!(matches!(verdict(&answer), Ok(Verdict::Unfit(why)) if why.code == Code::TOO_LARGE));
        let answer = r#"{"ref":"REF","outcome":"accepted","op":{"op":"set","value":null,"base":7,"batch":1}}"#;
        let Ok(Verdict::Accepted { form: Some(form), .. }) = verdict(answer) else { panic!("a form") };
        assert_eq!((form.base, form.value.map(Json::into_string)), (Some(7), Some("null".into())));
    }

    #[test]
    fn a_rejection_is_cut_to_what_can_be_told() {
        let answer = |code: &str, message: &str, detail: &str| {
            let text = format!(
                r#"{{"ref":"REF","outcome":"rejected","code":"{code}","message":"{message}","detail":{detail}}}"#
            );
            let Ok(Verdict::Rejected(told)) = verdict(&text) else { panic!("a rejection") };
            (told.code.as_str().to_owned(), told.message.len(), told.detail.map(Json::into_string))
        };
        assert_eq!(answer("too_dear", "no", r#"{"most":7}"#), ("too_dear".into(), 2, Some(r#"{"most":7}"#.into())));
        assert_eq!(answer("Not a word", "", "null").0, "policy");
        assert_eq!(answer("policy", &"x".repeat(5_000), "null").1, 500);
        assert_eq!(answer("policy", "x", &format!("\"{}\"", "x".repeat(17 << 10))).2, None);
        assert_eq!(answer("policy", "x", &format!("{}{}", "[".repeat(200), "]".repeat(200))).2, None);
        let bare = verdict(r#"{"ref":"REF","outcome":"rejected"}"#);
        assert!(matches!(bare, Ok(Verdict::Rejected(told)) if told.code == Code::POLICY && !told.message.is_empty()));
    }

    #[test]
    fn tags_are_within_their_limits_and_other_outcomes_are_none() {
        let tags = |tags: usize| {
            let tags: Vec<String> = (0..tags).map(|tag| format!("\"{tag}\"")).collect();
            verdict(&format!(r#"{{"ref":"REF","outcome":"accepted","tags":[{}]}}"#, tags.join(",")))
        };
        assert!(matches!(tags(100), Ok(Verdict::Accepted { .. })));
        assert!(matches!(tags(101), Ok(Verdict::Unfit(why)) if why.code == Code::TOO_LARGE));
        assert!(verdict(r#"{"ref":"REF","outcome":"accepted","tags":[""]}"#).is_err());
        assert!(verdict(r#"{"ref":"REF","outcome":"queued"}"#).is_err());
        assert!(verdict(r#"{"outcome":"accepted"}"#).is_err());
    }
}
