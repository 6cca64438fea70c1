/* What a store tells and asks, misused: NULL for each pointer, bad UTF-8, sizes and constants that are none, calls after closing, and frees in any
 * order. See misuse.c. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)
#define CLOSED(call) EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", call)

static const char BAD[] = "\xc3\x28";

static syncstore_error *error = NULL;
static int destroyed = 0;

static void on_wake(void *user_data)
{
    (void)user_data;
}

static void on_destroy(void *user_data)
{
    EXPECT(user_data == &destroyed);
    destroyed++;
}

static void on_event(void *user_data, const syncstore_event *event)
{
    (void)user_data;
    EXPECT(event != NULL);
}

static void on_conflict(void *user_data, const syncstore_conflict *conflict, syncstore_answer *answer)
{
    (void)user_data;
    EXPECT(conflict != NULL && answer != NULL);
}

static void watching(syncstore *store)
{
    syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_watcher *watcher = (syncstore_watcher *)&options;
    syncstore_changes *changes = (syncstore_changes *)&options;

    destroyed = 0;
    /* What a registration was given is destroyed also where it fails, and before that answers. */
    MISUSE("store is NULL", syncstore_watch(NULL, NULL, on_wake, &destroyed, on_destroy, &watcher, &error));
    EXPECT(watcher == NULL && destroyed == 1);
    MISUSE("watcher is NULL", syncstore_watch(store, NULL, on_wake, &destroyed, on_destroy, NULL, &error));
    EXPECT(destroyed == 2);
    options.struct_size = 1;
    MISUSE("struct_size", syncstore_watch(store, &options, on_wake, &destroyed, on_destroy, &watcher, &error));
    EXPECT(destroyed == 3);
    options.struct_size = sizeof options;
    options.key = "k";
    MISUSE("options.collection is NULL", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.key = NULL;
    options.from = "1";
    MISUSE("options.collection is NULL", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.collection = BAD;
    MISUSE("options.collection is not UTF-8", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.collection = "c";
    MISUSE("no string", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.from = "nothing";
    MISUSE("options.from is not", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.from = BAD;
    MISUSE("options.from is not UTF-8", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.from = NULL;
    options.to = "[]";
    MISUSE("options.to is not", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.to = NULL;
    options.index = BAD;
    MISUSE("options.index is not UTF-8", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.index = "by_due";
    options.key = "k";
    MISUSE("options.key is set", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.index = NULL;
    options.prefix = "p";
    MISUSE("options.key is set", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.prefix = BAD;
    MISUSE("options.prefix is not UTF-8", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));
    options.prefix = NULL;
    options.key = BAD;
    MISUSE("options.key is not UTF-8", syncstore_watch(store, &options, NULL, NULL, NULL, &watcher, &error));

    MISUSE("watcher is NULL", syncstore_watcher_take(NULL, &changes, &error));
    EXPECT(changes == NULL);
    EXPECT_OK(syncstore_watch(store, NULL, NULL, &destroyed, on_destroy, &watcher, &error));
    MISUSE("changes is NULL", syncstore_watcher_take(watcher, NULL, &error));
    EXPECT(destroyed == 3);
    syncstore_watcher_free(watcher);
    EXPECT(destroyed == 4);
    syncstore_watcher_free(NULL);
}

static void changes_of_null(void)
{
    EXPECT(syncstore_changes_count(NULL) == 0 && syncstore_changes_at(NULL, 0) == NULL);
    EXPECT(syncstore_changes_overflow(NULL) == SYNCSTORE_OVERFLOW_NONE);
    syncstore_changes_free(NULL);
    EXPECT(syncstore_change_collection(NULL) == NULL && syncstore_change_key(NULL) == NULL);
    EXPECT(syncstore_change_kind_of(NULL) == 0 && syncstore_change_origin(NULL) == 0);
    EXPECT(syncstore_change_ref(NULL, NULL) == 0);
}

static void events(syncstore *store)
{
    syncstore_event_options options = SYNCSTORE_EVENT_OPTIONS_INIT;
    syncstore_watch_options watch = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_events *events = (syncstore_events *)&options;
    uint64_t subscription = 1;
    size_t pumped = 1;
    int32_t more = 1, descriptor = 1;

    destroyed = 0;
    MISUSE("store is NULL", syncstore_events_new(NULL, NULL, on_wake, &destroyed, on_destroy, &events, &error));
    EXPECT(events == NULL && destroyed == 1);
    MISUSE("events is NULL", syncstore_events_new(store, NULL, on_wake, &destroyed, on_destroy, NULL, &error));
    EXPECT(destroyed == 2);
    options.struct_size = 0;
    MISUSE("struct_size", syncstore_events_new(store, &options, NULL, NULL, NULL, &events, &error));
    options.struct_size = sizeof options;
    options.outcomes = -2;
    MISUSE("options.outcomes", syncstore_events_new(store, &options, NULL, NULL, NULL, &events, &error));
    options.outcomes = -1;
    options.conflicts = -2;
    MISUSE("options.conflicts", syncstore_events_new(store, &options, NULL, NULL, NULL, &events, &error));
    options.conflicts = -1;
    options.log_lines = -2;
    MISUSE("options.log_lines", syncstore_events_new(store, &options, NULL, NULL, NULL, &events, &error));
    options.log_lines = 5;
    options.log_level = 5;
    MISUSE("options.log_level", syncstore_events_new(store, &options, NULL, NULL, NULL, &events, &error));
    options.log_level = SYNCSTORE_LOG_NONE;
    EXPECT_OK(syncstore_events_new(store, &options, NULL, &destroyed, on_destroy, &events, &error));

    MISUSE("events is NULL", syncstore_events_subscribe(NULL, NULL, &subscription, &error));
    EXPECT(subscription == 0);
    MISUSE("subscription is NULL", syncstore_events_subscribe(events, NULL, NULL, &error));
    watch.struct_size = 3;
    MISUSE("struct_size", syncstore_events_subscribe(events, &watch, &subscription, &error));
    watch.struct_size = sizeof watch;
    watch.key = "k";
    MISUSE("options.collection", syncstore_events_subscribe(events, &watch, &subscription, &error));
    MISUSE("events is NULL", syncstore_events_unsubscribe(NULL, 1, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_events_unsubscribe(events, 0, &error));

    MISUSE("events is NULL", syncstore_events_pump(NULL, 1, 0, on_event, NULL, &pumped, &more, &error));
    EXPECT(pumped == 0 && more == 0);
    MISUSE("callback is NULL", syncstore_events_pump(events, 1, 0, NULL, NULL, &pumped, &more, &error));
    MISUSE("budget_ms is below -1", syncstore_events_pump(events, 1, -2, on_event, NULL, NULL, NULL, &error));
    EXPECT_OK(syncstore_events_pump(events, (size_t)-1, INT64_MAX, on_event, NULL, NULL, NULL, &error));
    MISUSE("events is NULL", syncstore_events_wait(NULL, 0, &error));
    MISUSE("at_most_ms is below -1", syncstore_events_wait(events, -2, &error));
    MISUSE("events is NULL", syncstore_events_descriptor(NULL, &descriptor, &error));
    EXPECT(descriptor == 0);
    MISUSE("descriptor is NULL", syncstore_events_descriptor(events, NULL, &error));
    EXPECT(destroyed == 2);
    syncstore_events_free(events);
    EXPECT(destroyed == 3);
    syncstore_events_free(NULL);
}

static void events_of_null(void)
{
    syncstore_ref op;

    memset(&op, 0xff, sizeof op);
    EXPECT(syncstore_event_kind_of(NULL) == 0 && syncstore_event_subscription(NULL) == 0);
    EXPECT(syncstore_event_change(NULL) == NULL && syncstore_event_overflow(NULL) == 0);
    EXPECT(syncstore_event_ref(NULL, &op) == 0 && op.bytes[0] == 0 && syncstore_event_ref(NULL, NULL) == 0);
    EXPECT(syncstore_event_outcome(NULL) == NULL && syncstore_event_status(NULL) == NULL);
    EXPECT(syncstore_event_conflict_id(NULL) == 0 && syncstore_event_conflict_news(NULL) == 0);
    EXPECT(syncstore_event_conflict_ending(NULL) == 0 && syncstore_event_conflict_collection(NULL) == NULL);
    EXPECT(syncstore_event_conflict_key(NULL) == NULL && syncstore_event_conflict_resource(NULL) == 0);
    EXPECT(syncstore_event_conflict_resource_name(NULL) == NULL);
    EXPECT(syncstore_event_log_level(NULL) == 0 && syncstore_event_log_line(NULL) == NULL);
    EXPECT(syncstore_event_missed(NULL) == 0 && syncstore_event_missed_count(NULL) == 0);
    EXPECT(syncstore_sync_status_state(NULL) == 0 && syncstore_sync_status_error(NULL) == NULL);
    EXPECT(syncstore_sync_status_next_try_ms(NULL) == -1);
    EXPECT(syncstore_sync_status_loaded(NULL) == 0 && syncstore_sync_status_total(NULL) == 0);
}

static void rejections(syncstore *store)
{
    syncstore_ref op, made;
    syncstore_rejected_list *list = (syncstore_rejected_list *)&op;
    syncstore_notices *notices = (syncstore_notices *)&op;
    syncstore_refs *refs = (syncstore_refs *)&op;

    memset(&op, 0, sizeof op);
    memset(&made, 0xff, sizeof made);
    MISUSE("store is NULL", syncstore_rejections(NULL, &list, &error));
    EXPECT(list == NULL);
    MISUSE("list is NULL", syncstore_rejections(store, NULL, &error));
    MISUSE("store is NULL", syncstore_retry(NULL, &op, &made, &error));
    EXPECT(made.bytes[0] == 0);
    MISUSE("op is NULL", syncstore_retry(store, NULL, &made, &error));
    EXPECT_FAILS(SYNCSTORE_NOT_REJECTED, "", syncstore_retry(store, &op, NULL, &error));

    MISUSE("store is NULL", syncstore_edit_set(NULL, &op, "1", 1, &made, &error));
    MISUSE("op is NULL", syncstore_edit_set(store, NULL, "1", 1, &made, &error));
    MISUSE("json is NULL", syncstore_edit_set(store, &op, NULL, 1, &made, &error));
    MISUSE("json is not UTF-8", syncstore_edit_set(store, &op, BAD, 2, &made, &error));
    EXPECT_FAILS(SYNCSTORE_NOT_REJECTED, "", syncstore_edit_set(store, &op, "1", 1, NULL, &error));
    MISUSE("store is NULL", syncstore_edit_patch(NULL, &op, "[]", 2, &made, &error));
    MISUSE("op is NULL", syncstore_edit_patch(store, NULL, "[]", 2, &made, &error));
    MISUSE("patch is NULL", syncstore_edit_patch(store, &op, NULL, 2, &made, &error));
    MISUSE("patch is not UTF-8", syncstore_edit_patch(store, &op, BAD, 2, &made, &error));
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_edit_patch(store, &op, "{}", 2, &made, &error));
    MISUSE("store is NULL", syncstore_edit_delete(NULL, &op, &made, &error));
    MISUSE("op is NULL", syncstore_edit_delete(store, NULL, &made, &error));
    MISUSE("store is NULL", syncstore_edit_order(NULL, &op, "1", &made, &error));
    MISUSE("op is NULL", syncstore_edit_order(store, NULL, "1", &made, &error));
    MISUSE("order is NULL", syncstore_edit_order(store, &op, NULL, &made, &error));
    MISUSE("order is not UTF-8", syncstore_edit_order(store, &op, BAD, &made, &error));
    MISUSE("store is NULL", syncstore_edit_relation(NULL, &op, "p", "c", "k", &made, &error));
    MISUSE("op is NULL", syncstore_edit_relation(store, NULL, "p", "c", "k", &made, &error));
    MISUSE("predicate is NULL", syncstore_edit_relation(store, &op, NULL, "c", "k", &made, &error));
    MISUSE("predicate is not UTF-8", syncstore_edit_relation(store, &op, BAD, "c", "k", &made, &error));
    MISUSE("object_collection is NULL", syncstore_edit_relation(store, &op, "p", NULL, "k", &made, &error));
    MISUSE("object_collection is not UTF-8", syncstore_edit_relation(store, &op, "p", BAD, "k", &made, &error));
    MISUSE("object_key is NULL", syncstore_edit_relation(store, &op, "p", "c", NULL, &made, &error));
    MISUSE("object_key is not UTF-8", syncstore_edit_relation(store, &op, "p", "c", BAD, &made, &error));

    MISUSE("store is NULL", syncstore_discard(NULL, &op, &error));
    MISUSE("op is NULL", syncstore_discard(store, NULL, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_discard(store, &op, &error));
    MISUSE("store is NULL", syncstore_retry_of(NULL, &op, &made, &error));
    MISUSE("op is NULL", syncstore_retry_of(store, NULL, &made, &error));
    MISUSE("rejected is NULL", syncstore_retry_of(store, &op, NULL, &error));
    MISUSE("store is NULL", syncstore_depends_on(NULL, &op, &refs, &error));
    EXPECT(refs == NULL);
    MISUSE("op is NULL", syncstore_depends_on(store, NULL, &refs, &error));
    MISUSE("refs is NULL", syncstore_depends_on(store, &op, NULL, &error));
    MISUSE("store is NULL", syncstore_take_notices(NULL, 1, &notices, &error));
    EXPECT(notices == NULL);
    MISUSE("notices is NULL", syncstore_take_notices(store, 1, NULL, &error));
    EXPECT_OK(syncstore_take_notices(store, 0, &notices, &error));
    EXPECT(syncstore_notices_count(notices) == 0);
    syncstore_notices_free(notices);
}

static void lists_of_null(void)
{
    syncstore_ref op;
    uint64_t base = 1;

    EXPECT(syncstore_refs_count(NULL) == 0 && syncstore_refs_at(NULL, 0, &op) == 0 && op.bytes[0] == 0);
    EXPECT(syncstore_refs_at(NULL, 0, NULL) == 0);
    syncstore_refs_free(NULL);
    EXPECT(syncstore_rejected_list_count(NULL) == 0 && syncstore_rejected_list_at(NULL, 0) == NULL);
    syncstore_rejected_list_free(NULL);
    EXPECT(syncstore_notices_count(NULL) == 0 && syncstore_notices_rejected(NULL, 0) == NULL);
    EXPECT(syncstore_notices_conflict(NULL, 0) == NULL);
    syncstore_notices_free(NULL);
    EXPECT(syncstore_rejected_op_ref(NULL, &op) == 0 && syncstore_rejected_op_ref(NULL, NULL) == 0);
    EXPECT(syncstore_rejected_op_collection(NULL) == NULL && syncstore_rejected_op_key(NULL) == NULL);
    EXPECT(syncstore_rejected_op_resource(NULL) == 0 && syncstore_rejected_op_resource_name(NULL) == NULL);
    EXPECT(syncstore_rejected_op_kind(NULL) == 0 && syncstore_rejected_op_payload(NULL) == NULL);
    EXPECT(syncstore_rejected_op_base(NULL, &base) == 0 && base == 0);
    EXPECT(syncstore_rejected_op_base(NULL, NULL) == 0);
    EXPECT(syncstore_rejected_op_batch(NULL, &op) == 0 && syncstore_rejected_op_batch(NULL, NULL) == 0);
    EXPECT(syncstore_rejected_op_meant(NULL) == NULL && syncstore_rejected_op_present(NULL) == NULL);
    EXPECT(syncstore_rejected_op_code(NULL) == NULL && syncstore_rejected_op_message(NULL) == NULL);
    EXPECT(syncstore_rejected_op_detail(NULL) == NULL && syncstore_rejected_op_seq(NULL) == 0);
    EXPECT(syncstore_rejected_op_at(NULL) == 0);

    EXPECT(syncstore_conflict_list_count(NULL) == 0 && syncstore_conflict_list_at(NULL, 0) == NULL);
    syncstore_conflict_list_free(NULL);
    EXPECT(syncstore_conflict_id(NULL) == 0 && syncstore_conflict_collection(NULL) == NULL);
    EXPECT(syncstore_conflict_key(NULL) == NULL && syncstore_conflict_resource(NULL) == 0);
    EXPECT(syncstore_conflict_resource_name(NULL) == NULL && syncstore_conflict_base(NULL) == NULL);
    EXPECT(syncstore_conflict_local(NULL) == NULL && syncstore_conflict_remote(NULL) == NULL);
    EXPECT(syncstore_conflict_view(NULL) == NULL && syncstore_conflict_opened_at(NULL) == 0);
    EXPECT(syncstore_conflict_ending(NULL) == 0 && syncstore_conflict_ended_at(NULL) == 0);
    EXPECT(syncstore_conflict_ref(NULL, &op) == 0 && syncstore_conflict_ref(NULL, NULL) == 0);
}

static void conflicts(syncstore *store)
{
    syncstore_ref op;
    syncstore_text json = {(char *)&op, 1};
    syncstore_conflict_list *list = (syncstore_conflict_list *)&op;

    MISUSE("store is NULL", syncstore_conflicts(NULL, &list, &error));
    EXPECT(list == NULL);
    MISUSE("list is NULL", syncstore_conflicts(store, NULL, &error));
    MISUSE("store is NULL", syncstore_ended_conflicts(NULL, &list, &error));
    MISUSE("list is NULL", syncstore_ended_conflicts(store, NULL, &error));
    MISUSE("store is NULL",
           syncstore_resolve(NULL, NULL, SYNCSTORE_RESOLUTION_KEEP_OURS, NULL, 0, &op, &error));
    MISUSE("conflict is NULL",
           syncstore_resolve(store, NULL, SYNCSTORE_RESOLUTION_KEEP_OURS, NULL, 0, &op, &error));
    MISUSE("conflict is NULL", syncstore_conflict_merge(NULL, SYNCSTORE_PREFER_OURS, &json, &error));
    EXPECT(json.data == NULL);
}

static void resolvers(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore_resolver *resolver = (syncstore_resolver *)&options;
    syncstore *store;
    syncstore_stopped how;

    destroyed = 0;
    MISUSE("callback is NULL", syncstore_resolver_new(NULL, &destroyed, on_destroy, &resolver, &error));
    EXPECT(resolver == NULL && destroyed == 1);
    MISUSE("resolver is NULL", syncstore_resolver_new(on_conflict, &destroyed, on_destroy, NULL, &error));
    EXPECT(destroyed == 2);
    EXPECT_OK(syncstore_resolver_new(on_conflict, NULL, NULL, &resolver, &error));
    syncstore_resolver_free(resolver);
    MISUSE("prefer", syncstore_resolver_field_merge(0, &resolver, &error));
    MISUSE("resolver is NULL", syncstore_resolver_field_merge(SYNCSTORE_PREFER_OURS, NULL, &error));
    MISUSE("pointer is NULL", syncstore_resolver_last_writer(NULL, &resolver, &error));
    MISUSE("pointer is not UTF-8", syncstore_resolver_last_writer(BAD, &resolver, &error));
    MISUSE("resolver is NULL", syncstore_resolver_last_writer("/at", NULL, &error));
    MISUSE("answer is NULL", syncstore_answer_resolve(NULL, SYNCSTORE_RESOLUTION_KEEP_OURS, NULL, 0, &error));
    MISUSE("answer is NULL", syncstore_answer_fail(NULL, "no", &error));
    syncstore_resolver_free(NULL);

    /* Every ready-made one opens a store, which does not need it to stay. */
    EXPECT_OK(syncstore_resolver_field_merge(SYNCSTORE_PREFER_THEIRS, &resolver, &error));
    options.resolver = resolver;
    EXPECT_OK(syncstore_open("resolver.db", &options, &store, &error));
    syncstore_resolver_free(resolver);
    syncstore_free(store);
    EXPECT_OK(syncstore_resolver_last_writer("/at", &resolver, &error));
    options.resolver = resolver;
    EXPECT_OK(syncstore_open("resolver.db", &options, &store, &error));
    syncstore_free(store);
    syncstore_resolver_free(resolver);

    /* The last of both lets go of what the callback got. */
    EXPECT_OK(syncstore_resolver_new(on_conflict, &destroyed, on_destroy, &resolver, &error));
    options.resolver = resolver;
    EXPECT_OK(syncstore_open("resolver.db", &options, &store, &error));
    EXPECT_OK(syncstore_close(store, &how, &error));
    syncstore_free(store);
    EXPECT(destroyed == 2);
    syncstore_resolver_free(resolver);
    /* A closing that goes on behind the call has it until its end. */
    EXPECT(destroyed == 3 || how != SYNCSTORE_STOPPED_ENTIRELY);
}

static void after_closing(void)
{
    syncstore *store;
    syncstore_watcher *watcher, *no_watcher;
    syncstore_changes *changes, *no_changes;
    syncstore_events *events, *no_events;
    syncstore_rejected_list *list;
    syncstore_conflict_list *conflicts;
    syncstore_notices *notices;
    syncstore_refs *refs;
    syncstore_ref op;
    uint64_t subscription;
    int32_t descriptor;

    destroyed = 0;
    memset(&op, 0, sizeof op);
    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    EXPECT_OK(syncstore_watch(store, NULL, on_wake, &destroyed, on_destroy, &watcher, &error));
    EXPECT_OK(syncstore_events_new(store, NULL, on_wake, &destroyed, on_destroy, &events, &error));
    EXPECT_OK(syncstore_events_subscribe(events, NULL, &subscription, &error));
    EXPECT_OK(syncstore_set(store, "c", "k", "1", 1, NULL, &error));
    EXPECT_OK(syncstore_watcher_take(watcher, &changes, &error));
    EXPECT_OK(syncstore_close(store, NULL, &error));

    CLOSED(syncstore_watch(store, NULL, on_wake, &destroyed, on_destroy, &no_watcher, &error));
    EXPECT(destroyed >= 1);
    CLOSED(syncstore_watcher_take(watcher, &no_changes, &error));
    EXPECT(no_watcher == NULL && no_changes == NULL);
    CLOSED(syncstore_events_new(store, NULL, NULL, NULL, NULL, &no_events, &error));
    CLOSED(syncstore_events_subscribe(events, NULL, &subscription, &error));
    CLOSED(syncstore_events_unsubscribe(events, 1, &error));
    CLOSED(syncstore_events_pump(events, 1, 0, on_event, NULL, NULL, NULL, &error));
    CLOSED(syncstore_events_wait(events, 600000, &error));
    CLOSED(syncstore_events_descriptor(events, &descriptor, &error));
    CLOSED(syncstore_rejections(store, &list, &error));
    CLOSED(syncstore_retry(store, &op, NULL, &error));
    CLOSED(syncstore_edit_set(store, &op, "1", 1, NULL, &error));
    CLOSED(syncstore_edit_patch(store, &op, "[]", 2, NULL, &error));
    CLOSED(syncstore_edit_delete(store, &op, NULL, &error));
    CLOSED(syncstore_edit_order(store, &op, "1", NULL, &error));
    CLOSED(syncstore_edit_relation(store, &op, "p", "c", "k", NULL, &error));
    CLOSED(syncstore_discard(store, &op, &error));
    CLOSED(syncstore_retry_of(store, &op, &op, &error));
    CLOSED(syncstore_depends_on(store, &op, &refs, &error));
    CLOSED(syncstore_take_notices(store, 1, &notices, &error));
    CLOSED(syncstore_conflicts(store, &conflicts, &error));
    CLOSED(syncstore_ended_conflicts(store, &conflicts, &error));

    /* The parent first; what was taken stays. */
    syncstore_free(store);
    syncstore_events_free(events);
    syncstore_watcher_free(watcher);
    EXPECT_TEXT("k", syncstore_change_key(syncstore_changes_at(changes, 0)));
    syncstore_changes_free(changes);
    EXPECT(destroyed == 3);
}

int main(void)
{
    syncstore *store;

    changes_of_null();
    events_of_null();
    lists_of_null();
    resolvers();
    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    watching(store);
    events(store);
    rejections(store);
    conflicts(store);
    syncstore_free(store);
    after_closing();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
