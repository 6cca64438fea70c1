/* What the server refused, and what others changed meanwhile: listed, told of once, made again, edited, let go, and resolved in every way. */
#include "expect.h"

static syncstore_error *error = NULL;

static int is_same(const syncstore_ref *one, const syncstore_ref *other)
{
    return memcmp(one->bytes, other->bytes, sizeof one->bytes) == 0;
}

static void expect_value(syncstore *store, const char *collection, const char *key, const char *expected)
{
    syncstore_text json;

    EXPECT_OK(syncstore_get(store, collection, key, &json, &error));
    EXPECT_TEXT(expected, json.data);
    syncstore_text_free(&json);
}

static void told_once(syncstore *store)
{
    syncstore_notices *notices;
    size_t i, conflicts = 0, rejected = 0;

    EXPECT_OK(syncstore_take_notices(store, 3, &notices, &error));
    EXPECT(syncstore_notices_count(notices) == 3);
    for (i = 0; i < 3; i++) {
        EXPECT(syncstore_notices_rejected(notices, i) != NULL && syncstore_notices_conflict(notices, i) == NULL);
    }
    EXPECT(syncstore_notices_rejected(notices, 3) == NULL);
    EXPECT_TEXT("again", syncstore_rejected_op_key(syncstore_notices_rejected(notices, 0)));
    syncstore_notices_free(notices);

    EXPECT_OK(syncstore_take_notices(store, 100, &notices, &error));
    for (i = 0; i < syncstore_notices_count(notices); i++) {
        rejected += syncstore_notices_rejected(notices, i) != NULL;
        conflicts += syncstore_notices_conflict(notices, i) != NULL;
    }
    EXPECT(rejected == 7 && conflicts == 6 && i == 13);
    EXPECT_TEXT("both", syncstore_conflict_collection(syncstore_notices_conflict(notices, 7)));
    syncstore_notices_free(notices);

    EXPECT_OK(syncstore_take_notices(store, 100, &notices, &error));
    EXPECT(syncstore_notices_count(notices) == 0);
    syncstore_notices_free(notices);
}

/* The rejected operation on an item. */
static const syncstore_rejected_op *on(const syncstore_rejected_list *list, const char *key)
{
    const syncstore_rejected_op *op;
    size_t i = 0;

    while ((op = syncstore_rejected_list_at(list, i++)) != NULL) {
        if (strcmp(syncstore_rejected_op_key(op), key) == 0) {
            return op;
        }
    }
    fprintf(stderr, "nothing was rejected on %s\n", key);
    exit(1);
}

static syncstore_ref ref_of(const syncstore_rejected_list *list, const char *key)
{
    syncstore_ref op;

    EXPECT(syncstore_rejected_op_ref(on(list, key), &op) == 1);
    return op;
}

static void every_field(const syncstore_rejected_list *list)
{
    const syncstore_rejected_op *op = on(list, "again");
    syncstore_ref batch, other;
    uint64_t base;

    EXPECT(syncstore_rejected_list_count(list) == 10);
    EXPECT_TEXT("gone", syncstore_rejected_op_collection(op));
    EXPECT(syncstore_rejected_op_resource(op) == SYNCSTORE_RESOURCE_VALUE);
    EXPECT(syncstore_rejected_op_resource_name(op) == NULL);
    EXPECT(syncstore_rejected_op_kind(op) == SYNCSTORE_OP_PATCH);
    EXPECT(strstr(syncstore_rejected_op_payload(op), "\"/a\"") != NULL);
    EXPECT(syncstore_rejected_op_base(op, &base) == 1 && base > 0);
    EXPECT(syncstore_rejected_op_base(op, NULL) == 1);
    EXPECT(syncstore_rejected_op_batch(op, &batch) == 0 && batch.bytes[0] == 0);
    EXPECT_TEXT("{\"a\":1}", syncstore_rejected_op_meant(op));
    EXPECT(syncstore_rejected_op_present(op) == NULL);
    EXPECT_TEXT("not_found", syncstore_rejected_op_code(op));
    EXPECT(strlen(syncstore_rejected_op_message(op)) > 0);
    EXPECT(syncstore_rejected_op_seq(op) > 0);
    EXPECT(syncstore_rejected_op_at(op) > 1600000000000u);

    op = on(list, "index");
    EXPECT(syncstore_rejected_op_resource(op) == SYNCSTORE_RESOURCE_INDEX);
    EXPECT_TEXT("by_due", syncstore_rejected_op_resource_name(op));
    EXPECT(syncstore_rejected_op_kind(op) == SYNCSTORE_OP_SET);
    EXPECT_TEXT("{\"order\":\"2026\"}", syncstore_rejected_op_payload(op));
    op = on(list, "relation");
    EXPECT(syncstore_rejected_op_resource(op) == SYNCSTORE_RESOURCE_RELATION);
    EXPECT_TEXT("r1", syncstore_rejected_op_resource_name(op));
    op = on(list, "tag");
    EXPECT(syncstore_rejected_op_resource(op) == SYNCSTORE_RESOURCE_TAG);
    EXPECT_TEXT("team", syncstore_rejected_op_resource_name(op));
    EXPECT(syncstore_rejected_op_payload(op) == NULL);
    EXPECT_TEXT("{}", syncstore_rejected_op_meant(op));

    EXPECT(syncstore_rejected_op_batch(on(list, "batch1"), &batch) == 1);
    EXPECT(syncstore_rejected_op_batch(on(list, "batch2"), &other) == 1);
    EXPECT(is_same(&batch, &other));
}

static void made_again(syncstore *store, const syncstore_rejected_list *list)
{
    syncstore_ref op = ref_of(list, "again"), made, old;
    syncstore_outcome *outcome;
    syncstore_refs *refs;

    /* As it was meant it makes no sense on nothing. */
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "again", syncstore_retry(store, &op, &made, &error));
    EXPECT(made.bytes[0] == 0);
    EXPECT_OK(syncstore_set(store, "gone", "again", "{\"a\":7}", 7, &old, &error));
    EXPECT_OK(syncstore_retry(store, &op, &made, &error));
    expect_value(store, "gone", "again", "{\"a\":1}");
    EXPECT_FAILS(SYNCSTORE_NOT_REJECTED, "", syncstore_retry(store, &op, &made, &error));

    EXPECT_OK(syncstore_outcome_of(store, &op, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_RETRIED_AS);
    EXPECT(syncstore_outcome_ref(outcome, &made) == 1);
    syncstore_outcome_free(outcome);
    EXPECT_OK(syncstore_retry_of(store, &made, &old, &error));
    EXPECT(is_same(&old, &op));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_retry_of(store, &op, &old, &error));
    /* What goes in may be what comes out. */
    EXPECT_OK(syncstore_retry_of(store, &made, &made, &error));
    EXPECT(is_same(&made, &op));

    EXPECT_OK(syncstore_depends_on(store, &op, &refs, &error));
    EXPECT(syncstore_refs_count(refs) == 0 && syncstore_refs_at(refs, 0, &made) == 0);
    syncstore_refs_free(refs);
}

static void edited(syncstore *store, const syncstore_rejected_list *list)
{
    static const char PATCH[] = "[{\"op\": \"add\", \"path\": \"/c\", \"value\": 3}]";
    syncstore_ref op = ref_of(list, "set"), made;

    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_edit_set(store, &op, "{", 1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_EDIT_OF_ANOTHER_PART, "", syncstore_edit_order(store, &op, "1", NULL, &error));
    EXPECT_OK(syncstore_edit_set(store, &op, "{\"a\":2}", 7, &made, &error));
    expect_value(store, "gone", "set", "{\"a\":2}");

    op = ref_of(list, "patch");
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "", syncstore_edit_patch(store, &op, PATCH, sizeof PATCH - 1, NULL, &error));
    EXPECT_OK(syncstore_set(store, "gone", "patch", "{}", 2, NULL, &error));
    EXPECT_OK(syncstore_edit_patch(store, &op, PATCH, sizeof PATCH - 1, &made, &error));
    expect_value(store, "gone", "patch", "{\"c\":3}");

    op = ref_of(list, "delete");
    made = op;
    EXPECT_OK(syncstore_edit_delete(store, &made, &made, &error));
    EXPECT(!is_same(&made, &op));

    op = ref_of(list, "index");
    EXPECT_OK(syncstore_set(store, "gone", "index", "1", 1, NULL, &error));
    EXPECT_OK(syncstore_edit_order(store, &op, "2027", &made, &error));
    op = ref_of(list, "relation");
    EXPECT_OK(syncstore_set(store, "gone", "relation", "1", 1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_EDIT_OF_ANOTHER_PART, "", syncstore_edit_set(store, &op, "1", 1, NULL, &error));
    EXPECT_OK(syncstore_edit_relation(store, &op, "in", "lists", "l2", &made, &error));
    op = ref_of(list, "tag");
    EXPECT_OK(syncstore_set(store, "gone", "tag", "1", 1, NULL, &error));
    EXPECT_OK(syncstore_retry(store, &op, &op, &error));
}

static void let_go(syncstore *store, const syncstore_rejected_list *list)
{
    syncstore_ref op = ref_of(list, "discard"), batch = ref_of(list, "batch2");

    EXPECT_OK(syncstore_discard(store, &op, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_discard(store, &op, &error));
    /* Of a batch the whole goes. */
    EXPECT_OK(syncstore_discard(store, &batch, &error));
}

static void dependents(syncstore *store)
{
    syncstore_ref first, second, told;
    syncstore_refs *refs;

    EXPECT_OK(syncstore_set(store, "gone", "fresh", "1", 1, &first, &error));
    EXPECT_OK(syncstore_delete(store, "gone", "fresh", &second, &error));
    EXPECT_OK(syncstore_depends_on(store, &first, &refs, &error));
    /* The delete became part of the set, or comes behind it; never anything else. */
    EXPECT(syncstore_refs_count(refs) <= 1 && syncstore_refs_at(refs, 1, NULL) == 0);
    if (syncstore_refs_at(refs, 0, &told)) {
        EXPECT(is_same(&told, &second));
    }
    syncstore_refs_free(refs);
}

static const syncstore_conflict *conflict_on(const syncstore_conflict_list *list, const char *key)
{
    const syncstore_conflict *conflict;
    size_t i = 0;

    while ((conflict = syncstore_conflict_list_at(list, i++)) != NULL) {
        if (strcmp(syncstore_conflict_key(conflict), key) == 0) {
            return conflict;
        }
    }
    fprintf(stderr, "there is no conflict on %s\n", key);
    exit(1);
}

static void resolved(syncstore *store)
{
    syncstore_conflict_list *list;
    const syncstore_conflict *conflict;
    syncstore_text merged;
    syncstore_ref op;

    EXPECT_OK(syncstore_conflicts(store, &list, &error));
    EXPECT(syncstore_conflict_list_count(list) == 6);
    conflict = conflict_on(list, "rebased");
    EXPECT(syncstore_conflict_id(conflict) > 0);
    EXPECT_TEXT("both", syncstore_conflict_collection(conflict));
    EXPECT(syncstore_conflict_resource(conflict) == SYNCSTORE_RESOURCE_VALUE);
    EXPECT(syncstore_conflict_resource_name(conflict) == NULL);
    EXPECT_TEXT("{\"a\":0,\"b\":0}", syncstore_conflict_base(conflict));
    EXPECT_TEXT("{\"a\":1,\"b\":0}", syncstore_conflict_local(conflict));
    EXPECT_TEXT("{\"a\":0,\"b\":1}", syncstore_conflict_remote(conflict));
    EXPECT_TEXT("{\"a\":1,\"b\":0}", syncstore_conflict_view(conflict));
    EXPECT(syncstore_conflict_opened_at(conflict) > 1600000000000u);
    EXPECT(syncstore_conflict_ending(conflict) == SYNCSTORE_ENDING_NONE);
    EXPECT(syncstore_conflict_ended_at(conflict) == 0 && syncstore_conflict_ref(conflict, &op) == 0);

    EXPECT_OK(syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_KEEP_REBASED, NULL, 0, &op, &error));
    expect_value(store, "both", "rebased", "{\"a\":1,\"b\":0}");
    EXPECT_FAILS(SYNCSTORE_CONFLICT_MOVED, "",
                 syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_KEEP_REBASED, NULL, 0, &op, &error));

    EXPECT_OK(syncstore_resolve(store, conflict_on(list, "theirs"), SYNCSTORE_RESOLUTION_TAKE_THEIRS, NULL, 0, NULL,
                                &error));
    expect_value(store, "both", "theirs", "{\"a\":0,\"b\":1}");
    EXPECT_OK(syncstore_resolve(store, conflict_on(list, "ours"), SYNCSTORE_RESOLUTION_KEEP_OURS, NULL, 0, NULL,
                                &error));
    expect_value(store, "both", "ours", "{\"a\":1,\"b\":0}");

    conflict = conflict_on(list, "merged");
    EXPECT_OK(syncstore_conflict_merge(conflict, SYNCSTORE_PREFER_OURS, &merged, &error));
    EXPECT_TEXT("{\"a\":1,\"b\":1}", merged.data);
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_MERGED, "{", 1, NULL, &error));
    EXPECT_OK(syncstore_resolve(store, conflict, SYNCSTORE_RESOLUTION_MERGED, merged.data, merged.len, &op, &error));
    EXPECT(op.bytes[0] != 0 || op.bytes[15] != 0);
    expect_value(store, "both", "merged", merged.data);
    syncstore_text_free(&merged);

    /* What was written since it was listed, it does not know. */
    EXPECT_OK(syncstore_set(store, "both", "moved", "1", 1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_CONFLICT_MOVED, "",
                 syncstore_resolve(store, conflict_on(list, "moved"), SYNCSTORE_RESOLUTION_TAKE_THEIRS, NULL, 0, NULL,
                                   &error));
    syncstore_conflict_list_free(list);

    EXPECT_OK(syncstore_conflicts(store, &list, &error));
    EXPECT(syncstore_conflict_list_count(list) == 2);
    EXPECT_TEXT("1", syncstore_conflict_local(conflict_on(list, "moved")));
    syncstore_conflict_list_free(list);

    EXPECT_OK(syncstore_ended_conflicts(store, &list, &error));
    EXPECT(syncstore_conflict_list_count(list) == 4);
    EXPECT(syncstore_conflict_ending(conflict_on(list, "rebased")) == SYNCSTORE_ENDING_KEPT_REBASED);
    EXPECT(syncstore_conflict_ending(conflict_on(list, "theirs")) == SYNCSTORE_ENDING_TOOK_THEIRS);
    EXPECT(syncstore_conflict_ending(conflict_on(list, "ours")) == SYNCSTORE_ENDING_KEPT_OURS);
    conflict = conflict_on(list, "merged");
    EXPECT(syncstore_conflict_ending(conflict) == SYNCSTORE_ENDING_MERGED);
    EXPECT(syncstore_conflict_ended_at(conflict) >= syncstore_conflict_opened_at(conflict));
    EXPECT(syncstore_conflict_base(conflict) == NULL && syncstore_conflict_ref(conflict, NULL) == 1);
    syncstore_conflict_list_free(list);
}

/* News of conflicts that end, and of operations that are withdrawn for it, come as events. */
typedef struct news {
    int ended, withdrawn;
} news;

static void hear(void *user_data, const syncstore_event *event)
{
    news *news = user_data;

    switch (syncstore_event_kind_of(event)) {
    case SYNCSTORE_EVENT_CONFLICT:
        EXPECT(syncstore_event_conflict_news(event) == SYNCSTORE_CONFLICT_ENDED);
        EXPECT(syncstore_event_conflict_ending(event) != SYNCSTORE_ENDING_NONE);
        EXPECT(syncstore_event_conflict_id(event) > 0);
        EXPECT_TEXT("both", syncstore_event_conflict_collection(event));
        EXPECT(strlen(syncstore_event_conflict_key(event)) > 0);
        EXPECT(syncstore_event_conflict_resource(event) == SYNCSTORE_RESOURCE_VALUE);
        EXPECT(syncstore_event_conflict_resource_name(event) == NULL);
        news->ended++;
        break;
    case SYNCSTORE_EVENT_SETTLED:
        EXPECT(syncstore_event_ref(event, NULL) == 1);
        EXPECT(syncstore_outcome_kind_of(syncstore_event_outcome(event)) == SYNCSTORE_OUTCOME_WITHDRAWN);
        news->withdrawn++;
        break;
    default:
        EXPECT(0);
    }
}

int main(int count, char **arguments)
{
    syncstore *store;
    syncstore_events *events;
    syncstore_rejected_list *list;
    news news = {0, 0};

    EXPECT(count == 2);
    EXPECT_OK(syncstore_open(arguments[1], NULL, &store, &error));
    told_once(store);
    EXPECT_OK(syncstore_rejections(store, &list, &error));
    every_field(list);
    made_again(store, list);
    edited(store, list);
    let_go(store, list);
    syncstore_rejected_list_free(list);
    EXPECT_OK(syncstore_rejections(store, &list, &error));
    EXPECT(syncstore_rejected_list_count(list) == 0 && syncstore_rejected_list_at(list, 0) == NULL);
    syncstore_rejected_list_free(list);
    dependents(store);

    EXPECT_OK(syncstore_events_new(store, NULL, NULL, NULL, NULL, &events, &error));
    resolved(store);
    EXPECT_OK(syncstore_events_pump(events, 100, -1, hear, &news, NULL, NULL, &error));
    EXPECT(news.ended == 4 && news.withdrawn >= 2);
    syncstore_events_free(events);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
