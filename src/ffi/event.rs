//! An event
//!
//! It is valid until the callback that got it returns, with all that its getters answer. A getter that does not go with the event's kind answers 0 or
//! NULL.

use super::events::{log_level, syncstore_log_level};
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use super::outcomes::syncstore_outcome;
use super::resource::{resource, syncstore_resource};
use super::sync_status::syncstore_sync_status;
use super::watching::{SYNCSTORE_OVERFLOW_NONE, overflow, syncstore_change, syncstore_overflow};
use crate::conflict::Ending;
use crate::event::{ConflictNews, Event, Missed};
use crate::protocol::Ref;
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// What an event tells. A later version may know others: ignore them.
pub type syncstore_event_kind = i32;

/// An item that a subscription is about reads otherwise than before: syncstore_event_subscription(), syncstore_event_change().
pub const SYNCSTORE_EVENT_CHANGED: syncstore_event_kind = 1;
/// More changed than a subscription can tell, look at everything that it is about again: syncstore_event_subscription(),
/// syncstore_event_overflow().
pub const SYNCSTORE_EVENT_OVERFLOWED: syncstore_event_kind = 2;
/// An operation is settled, accepted, rejected or withdrawn: syncstore_event_ref(), syncstore_event_outcome(). Told once for each; not of one that was folded into
/// another, nor when a rejected one is retried or discarded.
pub const SYNCSTORE_EVENT_SETTLED: syncstore_event_kind = 3;
/// Something became of a conflict: syncstore_event_conflict_id(), syncstore_event_conflict_news(), and which item.
pub const SYNCSTORE_EVENT_CONFLICT: syncstore_event_kind = 4;
/// The background sync is at something else: syncstore_event_status(). Of several in a row that nobody has looked at, the last one is told.
pub const SYNCSTORE_EVENT_STATUS: syncstore_event_kind = 5;
/// Something to write into a log: syncstore_event_log_level(), syncstore_event_log_line().
pub const SYNCSTORE_EVENT_LOG: syncstore_event_kind = 6;
/// There was more than is told: syncstore_event_missed(), syncstore_event_missed_count().
pub const SYNCSTORE_EVENT_MISSED: syncstore_event_kind = 7;

/// What became of a conflict. A later version may know others.
pub type syncstore_conflict_news = i32;

/// A sync found it: once for each conflict.
pub const SYNCSTORE_CONFLICT_BEGUN: syncstore_conflict_news = 1;
/// The program has to decide it, if anybody is to: there is no resolver, or that has left it open, or failed.
pub const SYNCSTORE_CONFLICT_NEEDS_DECIDING: syncstore_conflict_news = 2;
/// It is over: syncstore_event_conflict_ending().
pub const SYNCSTORE_CONFLICT_ENDED: syncstore_conflict_news = 3;

/// How a conflict ended. A later version may know others.
pub type syncstore_ending = i32;

/// It is open.
pub const SYNCSTORE_ENDING_NONE: syncstore_ending = 0;
/// Resolved: what was read then stands.
pub const SYNCSTORE_ENDING_KEPT_REBASED: syncstore_ending = 1;
/// Resolved: theirs stands.
pub const SYNCSTORE_ENDING_TOOK_THEIRS: syncstore_ending = 2;
/// Resolved: ours stands.
pub const SYNCSTORE_ENDING_KEPT_OURS: syncstore_ending = 3;
/// Resolved: a merged value stands.
pub const SYNCSTORE_ENDING_MERGED: syncstore_ending = 4;
/// The server rejected this replica's side of it: it is a rejection now.
pub const SYNCSTORE_ENDING_REJECTED: syncstore_ending = 5;
/// The item is gone from what this replica may see, and nothing of it is kept; or it is deleted, by whomever, and with it the index entry, the relation or the
/// tag that the conflict was on.
pub const SYNCSTORE_ENDING_GONE: syncstore_ending = 6;

pub(super) fn ending(how: Ending) -> syncstore_ending {
    match how {
        Ending::KeptRebased => SYNCSTORE_ENDING_KEPT_REBASED,
        Ending::TookTheirs => SYNCSTORE_ENDING_TOOK_THEIRS,
        Ending::KeptOurs => SYNCSTORE_ENDING_KEPT_OURS,
        Ending::Merged => SYNCSTORE_ENDING_MERGED,
        Ending::Rejected => SYNCSTORE_ENDING_REJECTED,
        Ending::Gone => SYNCSTORE_ENDING_GONE,
    }
}

/// What was not told, so that a program can look itself. A later version may know others.
pub type syncstore_missed = i32;

/// So many operations were settled besides those that were told: look at their outcomes, and at the rejections.
pub const SYNCSTORE_MISSED_OUTCOMES: syncstore_missed = 1;
/// Operations may have been settled by another process, or undone by a restored server, and conflicts may have begun. Likewise.
pub const SYNCSTORE_MISSED_OUTCOMES_UNCOUNTED: syncstore_missed = 2;
/// So much became of conflicts besides what was told: look at the conflicts.
pub const SYNCSTORE_MISSED_CONFLICTS: syncstore_missed = 3;
/// So many lines.
pub const SYNCSTORE_MISSED_LOG_LINES: syncstore_missed = 4;

/// Something that a store tells. Never to be freed.
pub struct syncstore_event {
    life: Life,
    told: Told,
}

enum Told {
    Changed(u64, Arc<syncstore_change>),
    Overflowed(u64, syncstore_overflow),
    Settled(Ref, Arc<syncstore_outcome>),
    Conflict(News),
    Status(Arc<syncstore_sync_status>),
    Log(syncstore_log_level, CText),
    Missed(syncstore_missed, u64),
}

struct News {
    id: u64,
    collection: CText,
    key: CText,
    resource: (syncstore_resource, Option<CText>),
    news: syncstore_conflict_news,
    ending: syncstore_ending,
}

impl syncstore_event {
    pub(super) fn new(event: &Event) -> syncstore_event {
        let told = match event {
            Event::Changed { subscription, change } => {
                Told::Changed(subscription.number(), Arc::new(syncstore_change::new(change)))
            }
            Event::Overflowed { subscription, why } => Told::Overflowed(subscription.number(), overflow(*why)),
            Event::Settled { op_ref, outcome } => Told::Settled(*op_ref, Arc::new(syncstore_outcome::new(outcome))),
            Event::Conflict { id, collection, key, resource: on, news } => {
                let (news, ending) = match news {
                    ConflictNews::Begun => (SYNCSTORE_CONFLICT_BEGUN, SYNCSTORE_ENDING_NONE),
                    ConflictNews::NeedsDeciding => (SYNCSTORE_CONFLICT_NEEDS_DECIDING, SYNCSTORE_ENDING_NONE),
                    ConflictNews::Ended(how) => (SYNCSTORE_CONFLICT_ENDED, ending(*how)),
                };
                let (collection, key) = (CText::new(collection), CText::new(key));
                Told::Conflict(News { id: id.0, collection, key, resource: resource(on), news, ending })
            }
            Event::Status(status) => Told::Status(Arc::new(syncstore_sync_status::new(status))),
            Event::Log(line) => Told::Log(log_level(line.level), CText::new(&line.text)),
            Event::Missed(missed) => {
                let (what, count) = match missed {
                    Missed::Outcomes(count) => (SYNCSTORE_MISSED_OUTCOMES, *count),
                    Missed::OutcomesUncounted => (SYNCSTORE_MISSED_OUTCOMES_UNCOUNTED, 0),
                    Missed::Conflicts(count) => (SYNCSTORE_MISSED_CONFLICTS, *count),
                    Missed::LogLines(count) => (SYNCSTORE_MISSED_LOG_LINES, *count),
                };
                Told::Missed(what, count)
            }
        };
        syncstore_event { life: Life::new(), told }
    }

    fn news(&self) -> Option<&News> {
        if let Told::Conflict(news) = &self.told { Some(news) } else { None }
    }
}

impl Handle for syncstore_event {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Which of the constants it is; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_kind_of(event: *const syncstore_event) -> syncstore_event_kind {
    read!(event, 0, |event| Some(match &event.told {
        Told::Changed(..) => SYNCSTORE_EVENT_CHANGED,
        Told::Overflowed(..) => SYNCSTORE_EVENT_OVERFLOWED,
        Told::Settled(..) => SYNCSTORE_EVENT_SETTLED,
        Told::Conflict(_) => SYNCSTORE_EVENT_CONFLICT,
        Told::Status(_) => SYNCSTORE_EVENT_STATUS,
        Told::Log(..) => SYNCSTORE_EVENT_LOG,
        Told::Missed(..) => SYNCSTORE_EVENT_MISSED,
    }))
}

/// The subscription that it is for.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_subscription(event: *const syncstore_event) -> u64 {
    read!(event, 0, |event| match &event.told {
        Told::Changed(subscription, _) | Told::Overflowed(subscription, _) => Some(*subscription),
        _ => None,
    })
}

/// Which item changed, and how. Belongs to the event.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_change(event: *const syncstore_event) -> *const syncstore_change {
    read!(event, ptr::null(), |event| match &event.told {
        Told::Changed(_, change) => Some(Arc::as_ptr(change)),
        _ => None,
    })
}

/// Why it is not known what changed.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_overflow(event: *const syncstore_event) -> syncstore_overflow {
    read!(event, SYNCSTORE_OVERFLOW_NONE, |event| match &event.told {
        Told::Overflowed(_, why) => Some(*why),
        _ => None,
    })
}

/// The operation that is settled.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_ref(event: *const syncstore_event, op: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(event, 0, |event| match &event.told {
        Told::Settled(settled, _) => Some(i32::from(op.put_ref(*settled).is_ok())),
        _ => None,
    })
}

/// What became of the operation. Belongs to the event: it is not freed.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_outcome(event: *const syncstore_event) -> *const syncstore_outcome {
    read!(event, ptr::null(), |event| match &event.told {
        Told::Settled(_, outcome) => Some(Arc::as_ptr(outcome)),
        _ => None,
    })
}

/// The conflict, for syncstore_conflict_id().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_id(event: *const syncstore_event) -> u64 {
    read!(event, 0, |event| event.news().map(|news| news.id))
}

/// What became of the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_news(event: *const syncstore_event) -> syncstore_conflict_news {
    read!(event, 0, |event| event.news().map(|news| news.news))
}

/// How the conflict ended; SYNCSTORE_ENDING_NONE: it has not.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_ending(event: *const syncstore_event) -> syncstore_ending {
    read!(event, SYNCSTORE_ENDING_NONE, |event| event.news().map(|news| news.ending))
}

/// The collection of the conflict's item. Belongs to the event.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_collection(event: *const syncstore_event) -> *const c_char {
    read!(event, ptr::null(), |event| event.news().map(|news| news.collection.as_ptr()))
}

/// The key of the conflict's item. Belongs to the event.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_key(event: *const syncstore_event) -> *const c_char {
    read!(event, ptr::null(), |event| event.news().map(|news| news.key.as_ptr()))
}

/// What of its item the conflict is on.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_resource(event: *const syncstore_event) -> syncstore_resource {
    read!(event, 0, |event| event.news().map(|news| news.resource.0))
}

/// The name of the index, the relation or the tag that the conflict is on; NULL: it is on the value. Belongs to the event.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_conflict_resource_name(event: *const syncstore_event) -> *const c_char {
    read!(event, ptr::null(), |event| event.news()?.resource.1.as_ref().map(CText::as_ptr))
}

/// What the background sync is at. Belongs to the event: it is not freed.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_status(event: *const syncstore_event) -> *const syncstore_sync_status {
    read!(event, ptr::null(), |event| match &event.told {
        Told::Status(status) => Some(Arc::as_ptr(status)),
        _ => None,
    })
}

/// How much the log line matters.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_log_level(event: *const syncstore_event) -> syncstore_log_level {
    read!(event, 0, |event| match &event.told {
        Told::Log(level, _) => Some(*level),
        _ => None,
    })
}

/// The log line, in English. It holds no secret, and no value of an item. Belongs to the event.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_log_line(event: *const syncstore_event) -> *const c_char {
    read!(event, ptr::null(), |event| match &event.told {
        Told::Log(_, line) => Some(line.as_ptr()),
        _ => None,
    })
}

/// What was not told.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_missed(event: *const syncstore_event) -> syncstore_missed {
    read!(event, 0, |event| match &event.told {
        Told::Missed(what, _) => Some(*what),
        _ => None,
    })
}

/// How much was not told; 0: it was not counted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_event_missed_count(event: *const syncstore_event) -> u64 {
    read!(event, 0, |event| match &event.told {
        Told::Missed(_, count) => Some(*count),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::{SyncState, SyncStatus};
    use crate::conflict::ConflictId;
    use crate::event::{LogLevel, LogLine, Subscription};
    use crate::ffi::events::SYNCSTORE_LOG_ERROR;
    use crate::ffi::kit::handle::show;
    use crate::ffi::outcomes::{SYNCSTORE_OUTCOME_ACCEPTED, syncstore_outcome_kind_of, syncstore_outcome_seq};
    use crate::ffi::resource::SYNCSTORE_RESOURCE_TAG;
    use crate::ffi::sync_status::{
        SYNCSTORE_SYNC_BOOTSTRAPPING, syncstore_sync_status_loaded, syncstore_sync_status_state,
        syncstore_sync_status_total,
    };
    use crate::ffi::watching::{SYNCSTORE_CHANGE_REVOKED, SYNCSTORE_OVERFLOW_RELOADED, syncstore_change_kind_of};
    use crate::outbox::Outcome;
    use crate::protocol::ResourceName;
    use crate::watch::{ChangeKind, ItemChange, Origin, Overflow};
    use std::ffi::CStr;

    /// A text that an event has.
    fn text(text: *const c_char) -> String {
        assert!(!text.is_null());
        // SAFETY: it ends with NUL, and its event is there.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
    }

    /// Looks at an event as a callback does.
    fn told(event: Event, look: impl FnOnce(*const syncstore_event)) {
        show(&Arc::new(syncstore_event::new(&event)), |event| look(event));
    }

    #[test]
    fn a_change_is_told_with_its_subscription() {
        let (collection, key) = ("c".into(), "k".into());
        let (kind, origin) = (ChangeKind::Revoked, Origin::Remote);
        let change = ItemChange { collection, key, kind, origin, op_ref: None };
        // SAFETY: the event is there, and so is what it has.
        told(Event::Changed { subscription: Subscription(5), change }, |event| unsafe {
            assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_CHANGED);
            assert_eq!(syncstore_event_subscription(event), 5);
            assert_eq!(syncstore_change_kind_of(syncstore_event_change(event)), SYNCSTORE_CHANGE_REVOKED);
            assert!(syncstore_event_outcome(event).is_null() && syncstore_event_log_line(event).is_null());
        });
        // SAFETY: likewise.
        told(Event::Overflowed { subscription: Subscription(6), why: Overflow::Reloaded }, |event| unsafe {
            assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_OVERFLOWED);
            assert_eq!(syncstore_event_subscription(event), 6);
            assert_eq!(syncstore_event_overflow(event), SYNCSTORE_OVERFLOW_RELOADED);
            assert!(syncstore_event_change(event).is_null());
        });
    }

    #[test]
    fn an_outcome_within_an_event_is_read_like_any_other() {
        let op_ref = Ref::from_bytes([9; 16]);
        // SAFETY: the event is there, and so is what it has.
        told(Event::Settled { op_ref, outcome: Outcome::Accepted { seq: 7 } }, |event| unsafe {
            let mut op = syncstore_ref { bytes: [0; 16] };
            assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_SETTLED);
            assert_eq!((syncstore_event_ref(event, &raw mut op), op.bytes), (1, [9; 16]));
            let outcome = syncstore_event_outcome(event);
            assert_eq!(syncstore_outcome_kind_of(outcome), SYNCSTORE_OUTCOME_ACCEPTED);
            assert_eq!(syncstore_outcome_seq(outcome), 7);
            assert_eq!(syncstore_event_missed(event), 0);
        });
    }

    #[test]
    fn news_of_a_conflict_name_its_part_and_its_end() {
        let (collection, key, resource) = ("c".to_owned(), "k".to_owned(), ResourceName::Tag("team".into()));
        let news = ConflictNews::Ended(Ending::KeptOurs);
        // SAFETY: the event is there, and so is what it has.
        told(Event::Conflict { id: ConflictId(3), collection, key, resource, news }, |event| unsafe {
            assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_CONFLICT);
            assert_eq!(syncstore_event_conflict_id(event), 3);
            assert_eq!(syncstore_event_conflict_news(event), SYNCSTORE_CONFLICT_ENDED);
            assert_eq!(syncstore_event_conflict_ending(event), SYNCSTORE_ENDING_KEPT_OURS);
            assert_eq!(text(syncstore_event_conflict_collection(event)), "c");
            assert_eq!(text(syncstore_event_conflict_key(event)), "k");
            assert_eq!(syncstore_event_conflict_resource(event), SYNCSTORE_RESOURCE_TAG);
            assert_eq!(text(syncstore_event_conflict_resource_name(event)), "team");
            assert_eq!(syncstore_event_ref(event, ptr::null_mut()), 0);
        });
    }

    #[test]
    fn a_status_a_line_and_what_was_missed_are_told() {
        let status = SyncStatus::of(SyncState::Bootstrapping { loaded: 2, total: 8 });
        // SAFETY: the event is there, and so is what it has.
        told(Event::Status(status), |event| unsafe {
            let status = syncstore_event_status(event);
            assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_STATUS);
            assert_eq!(syncstore_sync_status_state(status), SYNCSTORE_SYNC_BOOTSTRAPPING);
            assert_eq!((syncstore_sync_status_loaded(status), syncstore_sync_status_total(status)), (2, 8));
        });
        // SAFETY: likewise.
        told(Event::Log(LogLine { level: LogLevel::Error, text: "words".into() }), |event| unsafe {
            assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_LOG);
            assert_eq!(syncstore_event_log_level(event), SYNCSTORE_LOG_ERROR);
            assert_eq!(text(syncstore_event_log_line(event)), "words");
        });
        for (missed, what, count) in [
            (Missed::Outcomes(4), SYNCSTORE_MISSED_OUTCOMES, 4),
            (Missed::OutcomesUncounted, SYNCSTORE_MISSED_OUTCOMES_UNCOUNTED, 0),
            (Missed::Conflicts(5), SYNCSTORE_MISSED_CONFLICTS, 5),
            (Missed::LogLines(6), SYNCSTORE_MISSED_LOG_LINES, 6),
        ] {
            // SAFETY: likewise.
            told(Event::Missed(missed), |event| unsafe {
                assert_eq!(syncstore_event_kind_of(event), SYNCSTORE_EVENT_MISSED);
                assert_eq!((syncstore_event_missed(event), syncstore_event_missed_count(event)), (what, count));
            });
        }
    }
}
