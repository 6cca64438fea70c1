//! Something between a device and the server that takes offence at what is written on one item (section 3 ◆13).

use crate::oracle::Item;
use crate::random::Random;
use syncstore::protocol::{Code, PushRequest};
use syncstore::wire::WireError;

#[derive(Clone, Debug)]
pub struct Offence {
    item: Item,
    how: How,
    /// The step at which it ends.
    pub until: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It says that the request cannot be taken as it is.
    Refuses(u16),
    /// It may be for something else.
    Unsaid(u16),
}

impl Offence {
    pub fn any(random: &mut Random, item: Item, until: u32) -> Offence {
        let how =
            *random.pick(&[How::Refuses(413), How::Refuses(422), How::Unsaid(400), How::Unsaid(403), How::Unsaid(500)]);
        Offence { item, how, until }
    }

    /// What becomes of a push.
    pub fn meets(&self, push: &PushRequest) -> Option<WireError> {
        let (collection, key) = (&self.item.0, &self.item.1);
        if !push.ops.iter().any(|op| op.collection == *collection && op.key == *key) {
            return None;
        }
        let message = format!("something about {key} of {collection}");
        Some(match self.how {
            How::Refuses(status) => WireError::Refused { status, code: String::new(), message },
            How::Unsaid(403) => WireError::Forbidden(message),
            How::Unsaid(500) => WireError::Unavailable { status: 500, retry_after: None, message },
            How::Unsaid(status) => WireError::Refused { status, code: String::new(), message },
        })
    }

    /// As what the sender of a push gives its ops up, if there is nothing left to halve.
    pub fn gives_up(&self, push: &PushRequest) -> Option<Code> {
        let How::Refuses(status) = self.how else { return None };
        let first = push.ops.first()?;
        let one = push.ops.len() == 1 || push.ops.iter().all(|op| op.batch.is_some() && op.batch == first.batch);
        one.then_some(if status == 413 { Code::TOO_LARGE } else { Code::INVALID })
    }
}
