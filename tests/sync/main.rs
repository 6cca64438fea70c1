//! The client engine with the server's core, and with servers that no reference server is.
//!
//! Which test covers which rule of `docs/PROTOCOL.md` (those that concern a client; the server's own tests
//! cover its side):
//!
//! | section, rule | tests |
//! |---|---|
//! | 1: a cursor of a rewound log is 410 | `rewound::*`; grown past the cursor: `rewound::a_rewound_log_that_has_grown_past_the_cursor_is_still_found_out` |
//! | 1: a client id belongs to one user | `refusals::a_replica_that_belongs_to_another_user_is_refused_and_keeps_what_it_has` |
//! | 1: other tags are another log | `bootstrap::other_tags_than_before_load_a_checkpoint_like_an_expired_cursor` |
//! | 1: limits, here and there alike | `limits::*`, `ledger::what_the_server_publishes_is_what_the_store_refuses` |
//! | 2: `base`, the own ops do not count | `rebasing::the_own_second_op_is_not_stale_because_of_the_first`, `coalescing::the_survivor_keeps_the_earlier_place_ref_and_base` |
//! | 3: the push's cursor is the replica's | `repeats::a_push_before_the_first_pull_has_no_cursor_and_one_after_has_the_replicas`, `rewound::a_push_alone_finds_the_rewound_log_too_and_nothing_of_it_is_taken_before` |
//! | 3: a known ref has its present outcome | `repeats::a_push_that_is_sent_again_gets_its_first_outcomes`, `repeats::a_lost_answer_is_made_good_by_pushing_again_or_by_pulling`, `repeats::a_late_push_after_its_repeat_changes_nothing` |
//! | 3: `ref_reused` | `copies::*` |
//! | 3: `expired` | `refusals::an_op_older_than_the_outcomes_that_the_server_keeps_is_rejected_and_reported` |
//! | 3: base moves by the inbox alone; a result settles by its seq, once its entry has come, and without one the op is pushed again | `hostile::an_op_whose_seq_the_position_passes_without_an_entry_is_pushed_again_and_settles_by_its_answer`, `hostile::an_answer_at_or_below_the_position_settles_at_once`, `rebasing::the_view_stays_between_a_pushs_answer_and_its_pull` |
//! | 3: `staged`, several pushes, repeated from the first op | `batches::a_batch_over_several_pushes_is_committed_with_its_last_op`, `batches::a_staged_batch_waits_and_goes_on_where_it_was_interrupted`, `batches::a_batch_that_expired_incomplete_on_the_server_is_told_so`, `batches::a_batch_that_the_server_forgot_is_pushed_again`, `repeats::an_unanswered_push_is_repeated_from_its_first_op_and_as_it_was` |
//! | 3: `queued` | `approving::*`, `hostile::queued_for_an_approver_waits_and_the_inbox_brings_the_outcome` |
//! | 3: `skipped` is rebased and pushed again | `refusals::a_rejected_op_holds_back_later_ops_on_its_item_until_they_are_rebased`, `rebasing::a_skipped_op_is_rebased_and_pushed_again_in_the_same_sync` |
//! | 3: a bad op spoils only its batch | `refusals::a_poison_op_among_a_thousand_is_rejected_and_the_rest_arrive`, `batches::one_bad_op_rejects_the_whole_batch_and_the_view_reverts` |
//! | 3: 400, 413, 422 halve, never in a batch | `refusals::a_push_refused_as_a_whole_is_halved_down_to_the_op_at_fault`, `batches::halving_never_cuts_a_batch` |
//! | 3: a broken answer settles nothing | `hostile::results_that_are_not_those_of_the_push_settle_nothing`, `hostile::an_acceptance_without_a_seq_is_refused_and_the_whole_answer_with_it` |
//! | 4: `seq` is the position of the cursor | `hostile::pages_may_end_early_and_be_empty_with_more_to_come`, `hostile::more_without_progress_ends_in_an_error` |
//! | 4: the committed form counts | `hostile::a_stranger_form_of_an_own_op_is_what_counts`, `rebasing::a_merge_by_the_server_is_what_everybody_ends_with` |
//! | 4: a batch is never split | `batches::a_batch_of_another_replica_arrives_in_one_piece`, `concurrency::a_pull_of_a_hundred_thousand_entries_stops_neither_readers_nor_writers` |
//! | 4: `full`, `revoked` | `hostile::a_full_set_and_a_delete_are_not_checked_against_from`, `watching::an_item_that_may_not_be_seen_any_more_is_told_as_revoked_and_not_as_deleted` |
//! | 4: `as_sent`, and ops in doubt | `concurrency::a_pull_that_crosses_another_stores_push_is_no_divergence`, `copies::a_pull_before_the_push_does_not_take_the_other_files_op_for_its_own` |
//! | 4: `hidden` | `hostile::a_hidden_outcome_settles_the_op_and_shows_nothing` |
//! | 4: `from`, divergence, one way to recover | `hostile::what_does_not_fit_is_divergence_and_a_checkpoint_under_a_new_client_id_mends_it`, `hostile::divergence_that_no_checkpoint_mends_ends_in_an_error_after_few_tries`, `rewound::a_restored_replica_file_is_found_out_and_loses_nothing`, `copies::*` |
//! | 4: nothing twice, nothing for another cursor | `hostile::an_entry_at_or_below_the_position_moves_no_base_but_its_outcome_counts`, `hostile::a_page_for_a_cursor_that_another_store_moved_on_from_is_not_applied` |
//! | 1, 2, 4, 5: index entries, relations and tags | `resources::*` |
//! | 5: checkpoints that no server makes | `replay::a_checkpoint_that_no_server_makes_is_refused_and_leaves_what_there_is`, `replay::a_page_that_names_itself_next_and_a_page_of_another_checkpoint_are_refused` |
//! | 4, 5: `collections`, `have`; another filter | `partial::*`, `partial_histories::*`, `narrowing::*`, `unkept::*` |
//! | 5.1: resumes, begins again | `bootstrap::a_hundred_thousand_documents_arrive_through_interruptions_at_random_pages`, `bootstrap::a_bootstrap_may_be_interrupted_at_every_call_and_resumes`, `bootstrap::a_checkpoint_that_expired_is_begun_again` |
//! | 5.2: the replay leaves what pages hold, takes every outcome | `replay::a_replay_leaves_what_the_pages_already_hold_and_takes_every_outcome` |
//! | 5.3: the whole outbox again; settled in the swap | `replay::a_bootstrap_pushes_the_whole_outbox_again_and_settles_it_in_the_swap`, `bootstrap::an_outbox_larger_than_a_push_goes_again_in_order`, `bootstrap::a_lost_answer_behind_an_expired_cursor_is_not_applied_twice` |
//! | 5.2, 5.3: gone on with after an interruption, what the log lost is pushed again | `replay::an_answer_of_an_interrupted_bootstrap_*`, `rewound::a_bootstrap_that_goes_on_after_the_server_lost_what_it_had_answered_pushes_that_again` |
//! | 5.4: pending ops on top | `bootstrap::local_writes_survive_while_the_bootstrap_runs`, `bootstrap::an_expired_cursor_loads_a_checkpoint_and_keeps_the_outbox` |
//! | 5, rewound: no claims, no hints, `undone` | `rewound::ops_above_the_restored_position_are_undone_and_pending_ones_go_without_a_claim`, `rewound::an_interrupted_recovery_still_undoes_and_makes_no_claims`, `rewound::writes_made_while_it_recovers_make_no_claim_either_even_when_the_recovery_begins_again`; what the lost ops had done can be made again: `undone::*` |
//! | 7: every number and character survives every format | `limits::every_number_and_every_character_survives_the_whole_way` |
//! | 7: what is tried again, and when | `ledger::the_wait_that_the_server_asks_for_is_kept`, `ledger::a_sync_gives_up_in_time_and_keeps_everything`, `refusals::other_refusals_stop_the_sync_and_reject_nothing` |
//! | a server that never comes to an end, or says too much | `endless::*` |
//! | `Options::largest_file`: what is not taken, and pushed all the same | `room::*` |
//! | all of it at once | `convergence::*`, `repeats::every_single_call_of_a_sync_may_fail_and_the_next_sync_goes_on` |

mod support;

mod approving;
mod batches;
mod bootstrap;
mod cancelling;
mod check;
mod coalescing;
mod concurrency;
mod conflicts;
mod convergence;
mod copies;
mod data;
mod declared;
mod endless;
mod full_server;
mod hostile;
mod ledger;
mod limits;
mod listing;
mod narrowing;
mod outcomes;
mod partial;
mod partial_histories;
mod partial_searches;
mod pushing;
mod queries;
mod rebasing;
mod reconciling;
mod refusals;
mod refused_batches;
mod repeats;
mod replay;
mod resolving;
mod resources;
mod rewound;
mod room;
mod searching;
mod undone;
mod unkept;
mod views;
mod visibility;
mod waiting;
mod walks;
mod watching;
