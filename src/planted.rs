//! Faults that the project's own simulation must find, switched on one at a time.
//!
//! Without the feature `planted-faults` nothing of this is compiled in: [`planted`] is `false`, known to the compiler.
//! Each fault is the absence of one rule, at the place that keeps it.

macro_rules! planted {
    ($($fault:ident,)*) => {
        /// A fault that can be switched on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Planted {
            $($fault,)*
        }

        impl Planted {
            /// All of them.
            pub const ALL: &[Planted] = &[$(Planted::$fault),*];
        }
    };
}

planted! {
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
    UnappliedIsRejected,
    SwapDropsPending,
    SlicesCutBatches,
    PositionNotStored,
    AsSentOfUnanswered,
    AcceptedPatchLosesItsFold,
    ErrorAfterHalfAWrite,
    DeletedItemKeepsResources,
    EndedItemKeepsResources,
    ResourceFoldKeepsFirst,
    FoldsAcrossResources,
    ResourceRebasedOnView,
    ResourceRevLeft,
    EchoOfResourceIsAll,
    CheckpointWithoutRelations,
    FullWithoutIndexes,
    RevokedItemStays,
    NoticesLeftUnmarked,
    NoticesMarkedUnheard,
    RejectionToldToNobody,
    RetryLeavesTheRestOfItsBatch,
    ConflictLostAtRebase,
    EndedConflictKeepsSides,
    ConflictOutlivesRevoke,
    FullServerForEver,
    ConflictBeginsUntold,
    ResolutionWithdrawsSent,
    WithdrawnForgotten,
    ResolutionClaimsNothing,
    RemoteChangeUntold,
    NarrowingForgetsPending,
    NarrowedIsLeft,
    WideningSkipsPages,
    SearchKeepsWhatFailed,
    // The protocol's ◆ rules, on the client's side.
    Rule9SettlesAtOnce,
    Rule13NoHalving,
    Rule22ReplaysAgain,
    Rule24AnsweredNotRepeated,
    Rule25SettlesBeforeSwap,
    Rule26BasesKept,
    Rule26HintsKept,
    Rule26NothingUndone,
    Rule26AllUndone,
    Rule29JoinsElsewhere,
    // And on the server's.
    Rule2RewindUnseen,
    Rule2FilterUnseen,
    Rule4ActsOnHidden,
    Rule4HiddenToldApart,
    Rule4NothingGranted,
    Rule4ForeignTags,
    Rule5OthersIgnored,
    Rule5OwnOpsCount,
    Rule5TombstonesNotAsked,
    Rule6PushReadsNoCursor,
    Rule7RefsNotLookedUp,
    Rule7OpsNotCompared,
    Rule8ForgetsUnpulled,
    Rule8OldRefsTaken,
    Rule8ExpiresTheKnown,
    Rule10HalfABatch,
    Rule10NobodyAtFault,
    Rule12NothingSkipped,
    Rule14SeqOfLastVisible,
    Rule15TagsBeforeAlone,
    Rule15TagsAfterAlone,
    Rule16BatchOverPages,
    Rule17OpInsteadOfFull,
    Rule17FullWithoutResources,
    Rule17NothingRevoked,
    Rule18AsSentWhenMerged,
    Rule19HiddenIsNamed,
    Rule21PrunesBehindCheckpoints,
    CheckpointShowsHidden,
    MergeTakesResources,
    MergeKeepsResources,
    MergeTouchesNothing,
    MergeTouchesEverything,
    EndedItemKeepsRelations,
    FullTakesAll,
    AnswersBeforeTheDisk,
    RecoveredLogLeftUnsynced,
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
