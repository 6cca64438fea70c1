//! Faults that the project's own simulation must find, switched on one at a time.
//!
//! Without the feature `planted-faults` nothing of this is compiled in: [`planted`] is `false`, known to the compiler.
//! Each fault is the absence of one rule, at the place that keeps it.

/// A fault that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Planted {
    // The client's own rules.
    OutcomeBeforeItsTransaction,
    CursorBeforePage,
    BaseNotKept,
    FoldsIntoSent,
    EchoAppliedTwice,
    SentNotSynced,
    SentNotMarked,
    SentMarkLeftUnsynced,
    RefsByClockAlone,
    RejectedStaysInView,
    ViewNotRebased,
    SwapDropsPending,
    SlicesCutBatches,
    PositionNotStored,
    AsSentOfUnanswered,
    AcceptedPatchLosesItsFold,
    ErrorAfterHalfAWrite,
    // The protocol's ◆ rules, on the client's side.
    Rule9SettlesAtOnce,
    Rule13NoHalving,
    Rule22ReplaysAgain,
    Rule24AnsweredNotRepeated,
    Rule25SettlesBeforeSwap,
    Rule26BasesKept,
    Rule26HintsKept,
    Rule26NothingUndone,
    // And on the server's.
    Rule2RewindUnseen,
    Rule5OthersIgnored,
    Rule6PushReadsNoCursor,
    Rule7RefsNotLookedUp,
    Rule7OpsNotCompared,
    Rule8ForgetsUnpulled,
    Rule8OldRefsTaken,
    Rule10HalfABatch,
    Rule12NothingSkipped,
    Rule14SeqOfLastVisible,
    Rule16BatchOverPages,
    Rule18AsSentWhenMerged,
    Rule21PrunesBehindCheckpoints,
    AnswersBeforeTheDisk,
    RecoveredLogLeftUnsynced,
}

impl Planted {
    /// All of them.
    pub const ALL: &[Planted] = &[
        Planted::OutcomeBeforeItsTransaction,
        Planted::CursorBeforePage,
        Planted::BaseNotKept,
        Planted::FoldsIntoSent,
        Planted::EchoAppliedTwice,
        Planted::SentNotSynced,
        Planted::SentNotMarked,
        Planted::SentMarkLeftUnsynced,
        Planted::RefsByClockAlone,
        Planted::RejectedStaysInView,
        Planted::ViewNotRebased,
        Planted::SwapDropsPending,
        Planted::SlicesCutBatches,
        Planted::PositionNotStored,
        Planted::AsSentOfUnanswered,
        Planted::AcceptedPatchLosesItsFold,
        Planted::ErrorAfterHalfAWrite,
        Planted::Rule9SettlesAtOnce,
        Planted::Rule13NoHalving,
        Planted::Rule22ReplaysAgain,
        Planted::Rule24AnsweredNotRepeated,
        Planted::Rule25SettlesBeforeSwap,
        Planted::Rule26BasesKept,
        Planted::Rule26HintsKept,
        Planted::Rule26NothingUndone,
        Planted::Rule2RewindUnseen,
        Planted::Rule5OthersIgnored,
        Planted::Rule6PushReadsNoCursor,
        Planted::Rule7RefsNotLookedUp,
        Planted::Rule7OpsNotCompared,
        Planted::Rule8ForgetsUnpulled,
        Planted::Rule8OldRefsTaken,
        Planted::Rule10HalfABatch,
        Planted::Rule12NothingSkipped,
        Planted::Rule14SeqOfLastVisible,
        Planted::Rule16BatchOverPages,
        Planted::Rule18AsSentWhenMerged,
        Planted::Rule21PrunesBehindCheckpoints,
        Planted::AnswersBeforeTheDisk,
        Planted::RecoveredLogLeftUnsynced,
    ];
}

#[cfg(feature = "planted-faults")]
std::thread_local! {
    static PLANTED: std::cell::Cell<Option<Planted>> = const { std::cell::Cell::new(None) };
}

/// Switches one fault on for this thread, or all off.
#[cfg(feature = "planted-faults")]
pub fn plant(fault: Option<Planted>) {
    PLANTED.set(fault);
}

/// Whether a fault is switched on for this thread.
#[cfg(feature = "planted-faults")]
pub fn planted(fault: Planted) -> bool {
    PLANTED.get() == Some(fault)
}

/// Whether a fault is switched on: never, without the feature.
#[cfg(not(feature = "planted-faults"))]
#[inline(always)]
pub const fn planted(_fault: Planted) -> bool {
    false
}
