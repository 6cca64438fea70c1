//! Who asks, and what of a database is there for it.

use super::digest;
use syncstore::protocol::Filter;

/// Who asks, as authentication found out.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user; refs and client ids belong to one.
    pub user: String,
    /// The tags that it may see and assign.
    pub tags: Tags,
    /// The tags put on every item that it creates.
    pub grant: Vec<String>,
}

/// Which tags a caller may see and assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// Everything.
    All,
    /// These only: it sees the items that have one of them.
    Only(Vec<String>),
}

impl Tags {
    /// Whether an item with these tags, which must be sorted, is there for it.
    pub fn see(&self, tags: &[String]) -> bool {
        match self {
            Tags::All => true,
            Tags::Only(own) => own.iter().any(|tag| tags.binary_search(tag).is_ok()),
        }
    }

    /// Whether it may add and remove this tag.
    pub fn own(&self, tag: &str) -> bool {
        match self {
            Tags::All => true,
            Tags::Only(own) => own.iter().any(|own| own == tag),
        }
    }

    /// The tags of which an item needs one; `None`: it needs none.
    pub fn needed(&self) -> Option<&[String]> {
        match self {
            Tags::All => None,
            Tags::Only(own) => Some(own),
        }
    }
}

impl Caller {
    /// What tells its view of the log, through a filter, from another's; part of its cursors.
    pub fn digest(&self, filter: &Filter) -> u64 {
        digest::filtered(digest::tags(self.tags.needed()), filter)
    }

    /// The tags of an item that it creates, sorted.
    pub fn granted(&self) -> Vec<String> {
        let mut tags = self.grant.clone();
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_from_another_by_tags_and_by_filter() {
        let of = |tags| Caller { user: "u".into(), tags, grant: Vec::new() };
        let callers = [of(Tags::All), of(Tags::Only(vec!["t".into()])), of(Tags::Only(Vec::new()))];
        let filters = ["a", "a,b", "a:b", ""].map(|text| Filter::parse(text).unwrap());
        let filters: Vec<Filter> = filters.into_iter().chain([Filter::everything()]).collect();
        let digests: std::collections::HashSet<u64> =
            callers.iter().flat_map(|caller| filters.iter().map(|filter| caller.digest(filter))).collect();
        assert_eq!(digests.len(), callers.len() * filters.len());
        assert_eq!(callers[0].digest(&Filter::everything()), 0, "as it was before there were filters");
        let same = ["b,a", "a,b,a:x"].map(|text| callers[0].digest(&Filter::parse(text).unwrap()));
        assert_eq!(same, [callers[0].digest(&filters[1]); 2]);
    }

    #[test]
    fn one_tag_in_common_is_enough_and_no_tag_is_never() {
        let list = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let caller = Tags::Only(list(&["z", "b"]));
        assert!(caller.see(&list(&["a", "b", "c"])) && caller.own("z"));
        assert!(!caller.see(&list(&["a", "c"])) && !caller.see(&[]) && !caller.own("a"));
        assert!(!Tags::Only(Vec::new()).see(&list(&["a"])));
        assert!(Tags::All.see(&[]) && Tags::All.own("a"));
    }
}
