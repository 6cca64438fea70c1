//! What a user may see and assign, as the server's operator has set it.

use crate::oracle::Whole;
use crate::random::Random;
use std::collections::BTreeSet;
use std::fmt;
use syncstore_server::service::{Caller, Tags};

/// The tags that there are.
pub const TAGS: &[&str] = &["a", "b", "c"];

/// The tags of which an item must have one to be seen; `None`: it needs none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sight(Option<BTreeSet<&'static str>>);

/// The rights of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    pub sight: Sight,
    /// The tags that an item gets which the user makes.
    pub grant: BTreeSet<&'static str>,
}

impl Sight {
    pub const ALL: Sight = Sight(None);

    pub fn sees(&self, whole: &Whole) -> bool {
        self.0.as_ref().is_none_or(|own| whole.tags().any(|tag| own.contains(tag)))
    }

    pub fn owns(&self, tag: &str) -> bool {
        self.0.as_ref().is_none_or(|own| own.contains(tag))
    }

    fn tags(&self) -> Tags {
        match &self.0 {
            None => Tags::All,
            Some(own) => Tags::Only(own.iter().map(|tag| (*tag).to_owned()).collect()),
        }
    }

    fn any(random: &mut Random) -> Sight {
        match random.below(10) {
            0 => Sight(None),
            1 => Sight(Some(BTreeSet::new())),
            _ => Sight(Some(some_tags(random))),
        }
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("all"),
            Some(own) => write!(f, "{own:?}"),
        }
    }
}

fn some_tags(random: &mut Random) -> BTreeSet<&'static str> {
    let mut tags: BTreeSet<&'static str> = TAGS.iter().copied().filter(|_| random.percent(50)).collect();
    tags.insert(*random.pick(TAGS));
    tags
}

impl Rights {
    /// Everything, and nothing is granted.
    pub fn all() -> Rights {
        Rights { sight: Sight::ALL, grant: BTreeSet::new() }
    }

    pub fn any(random: &mut Random) -> Rights {
        let sight = Sight::any(random);
        let grant = match &sight.0 {
            // A user may make what it does not see itself.
            _ if random.percent(10) => some_tags(random),
            None if random.percent(50) => BTreeSet::new(),
            None => some_tags(random),
            Some(own) => own.iter().copied().filter(|_| random.percent(80)).collect(),
        };
        Rights { sight, grant }
    }

    /// Others: wider, narrower, or just different.
    pub fn changed(&self, random: &mut Random) -> Rights {
        let mut rights = self.clone();
        match (&mut rights.sight.0, random.below(4)) {
            (Some(own), 0) => drop(own.insert(*random.pick(TAGS))),
            (Some(own), 1 | 2) if !own.is_empty() => {
                let at = random.below(own.len() as u64) as usize;
                if let Some(tag) = own.iter().nth(at).copied() {
                    own.remove(tag);
                    rights.grant.remove(tag);
                }
            }
            _ => return Rights::any(random),
        }
        rights
    }

    pub fn caller(&self, user: u64) -> Caller {
        let grant = self.grant.iter().map(|tag| (*tag).to_owned()).collect();
        Caller { user: format!("user{user}"), tags: self.sight.tags(), grant }
    }
}
