//! A service whose collections `c` and `ask` have an approver that a test scripts.

use crate::world::*;
use parking_lot::Mutex;
use std::sync::Arc;
use syncstore::protocol::{Entry, Json, Op, Ref};
use syncstore_server::approver::{ApprovalRequest, ApprovalResponse, Approver, ApproverError, AskedOp, Form, OpAnswer};
use syncstore_server::service::{ApprovalOptions, Service, ServiceOptions};

type Script = Box<dyn FnMut(&ApprovalRequest) -> Result<ApprovalResponse, ApproverError> + Send>;

/// Does what its script says, and notes what it was asked.
pub struct Scripted {
    script: Mutex<Script>,
    asked: Mutex<Vec<ApprovalRequest>>,
}

impl Approver for Scripted {
    fn ask(&self, request: &ApprovalRequest) -> Result<ApprovalResponse, ApproverError> {
        self.asked.lock().push(request.clone());
        (self.script.lock())(request)
    }
}

pub struct Office {
    pub world: World,
    approver: Arc<Scripted>,
}

impl Office {
    pub fn new(
        script: impl FnMut(&ApprovalRequest) -> Result<ApprovalResponse, ApproverError> + Send + 'static,
    ) -> Office {
        let script: Script = Box::new(script);
        let approver = Arc::new(Scripted { script: Mutex::new(script), asked: Mutex::default() });
        let mut office = Office { world: World::new(), approver };
        office.restart(|_| {});
        office
    }

    /// Whose approver answers each op by itself.
    pub fn answering(mut answer: impl FnMut(&AskedOp) -> OpAnswer + Send + 'static) -> Office {
        Office::new(move |request| Ok(request.ops.iter().map(&mut answer).collect()))
    }

    /// Whose approver accepts everything.
    pub fn lenient() -> Office {
        Office::answering(|asked| OpAnswer::accepted(asked.op.op_ref))
    }

    /// From now on the approver does this.
    pub fn rescript(
        &self,
        script: impl FnMut(&ApprovalRequest) -> Result<ApprovalResponse, ApproverError> + Send + 'static,
    ) {
        *self.approver.script.lock() = Box::new(script);
    }

    pub fn answer_each(&self, mut answer: impl FnMut(&AskedOp) -> OpAnswer + Send + 'static) {
        self.rescript(move |request| Ok(request.ops.iter().map(&mut answer).collect()));
    }

    /// Ends the service and starts it again with options changed further.
    pub fn restart(&mut self, change: impl Fn(&mut ServiceOptions)) {
        let approver = self.approver.clone();
        self.world.reopen(move |options| {
            let collections = ["c".to_owned(), "ask".to_owned()];
            options.approval = Some(ApprovalOptions::new(approver.clone(), collections));
            change(options);
        });
    }

    pub fn service(&self) -> &Service {
        &self.world.service
    }

    /// Asks once; how many ops that decided.
    pub fn approve(&self) -> usize {
        self.service().approve(DB).unwrap()
    }

    /// Asks until nothing more is decided.
    pub fn approve_all(&self) {
        while self.approve() > 0 {}
    }

    /// Lets every pause pass, and asks.
    pub fn approve_later(&self) -> usize {
        self.world.pass(61_000);
        self.approve()
    }

    pub fn push(&self, ops: &[Op]) -> Vec<String> {
        words(&self.world.push(1, ops))
    }

    /// What the client 1 is told, as "2 accepted k=1", "3 rejected policy".
    pub fn told(&self) -> Vec<String> {
        self.told_to(1)
    }

    pub fn told_to(&self, client: u128) -> Vec<String> {
        self.world.pull(client, None).0.iter().map(told).collect()
    }

    /// The requests so far, each with the refs that it asked about.
    pub fn requests(&self) -> Vec<Vec<Ref>> {
        let asked = self.approver.asked.lock();
        asked.iter().map(|request| request.ops.iter().map(|asked| asked.op.op_ref).collect()).collect()
    }

    pub fn last_request(&self) -> ApprovalRequest {
        self.approver.asked.lock().last().unwrap().clone()
    }
}

fn told(entry: &Entry) -> String {
    if let Some(code) = &entry.code {
        return format!("{} rejected {code}", entry.seq);
    }
    let key = entry.key.as_deref().unwrap_or("-");
    let what = match (&entry.value, &entry.patch, &entry.tag) {
        (_, _, Some(tag)) => format!("{key} #{tag}"),
        (Some(value), ..) => format!("{key}={value}"),
        (_, Some(patch), _) => format!("{key} {patch}"),
        _ => key.to_owned(),
    };
    let sent = if entry.as_sent { " as sent" } else { "" };
    format!("{} accepted {what}{sent}", entry.seq)
}

/// In another collection.
pub fn of(collection: &str, op: Op) -> Op {
    Op { collection: collection.into(), ..op }
}

pub fn silent() -> Result<ApprovalResponse, ApproverError> {
    Ok(ApprovalResponse::default())
}

pub fn down() -> Result<ApprovalResponse, ApproverError> {
    Err(ApproverError("it is down".into()))
}

pub fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

pub fn replaced(op_ref: Ref, form: Form) -> OpAnswer {
    OpAnswer { op: Some(form), ..OpAnswer::accepted(op_ref) }
}

pub fn tagged(op_ref: Ref, tags: &[&str]) -> OpAnswer {
    OpAnswer { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..OpAnswer::accepted(op_ref) }
}
