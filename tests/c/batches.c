/* Batches: operations of every kind that are written at once, or not at all. */
#include "expect.h"

static const char DONE[] = "[{\"op\": \"replace\", \"path\": \"/done\", \"value\": true}]";
static const char WRONG[] = "[{\"op\": \"remove\", \"path\": \"/none\"}]";

static syncstore_error *error = NULL;

static void write_all_at_once(syncstore *store)
{
    syncstore_batch *batch;
    syncstore_ref id, op, last;
    syncstore_outcome *outcome;
    syncstore_text json;
    uint64_t pending;
    size_t place;

    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_set(batch, "notes", "n1", "{\"done\": false}", 15, &error));
    EXPECT_OK(syncstore_batch_patch(batch, "notes", "n1", DONE, sizeof DONE - 1, &error));
    EXPECT_OK(syncstore_batch_set(batch, "notes", "n2", "2", 1, &error));
    EXPECT_OK(syncstore_batch_delete(batch, "notes", "n2", &error));
    EXPECT_OK(syncstore_batch_set_index(batch, "notes", "n1", "by_date", "2026-11-20", &error));
    EXPECT_OK(syncstore_batch_set_index(batch, "notes", "n1", "by_name", "milk", &error));
    EXPECT_OK(syncstore_batch_delete_index(batch, "notes", "n1", "by_name", &error));
    EXPECT_OK(syncstore_batch_set_relation(batch, "notes", "n1", "r1", "in", "folders", "home", &error));
    EXPECT_OK(syncstore_batch_set_relation(batch, "notes", "n1", "r2", "in", "folders", "work", &error));
    EXPECT_OK(syncstore_batch_delete_relation(batch, "notes", "n1", "r2", &error));
    EXPECT_OK(syncstore_batch_add_tag(batch, "notes", "n1", "red", &error));
    EXPECT_OK(syncstore_batch_remove_tag(batch, "notes", "n1", "blue", &error));

    /* Nothing is written yet, and nothing is known of it. */
    EXPECT_OK(syncstore_pending_count(store, &pending, &error));
    EXPECT(pending == 0 && syncstore_batch_count(batch) == 0);
    EXPECT(syncstore_batch_id(batch, &id) == 0 && syncstore_batch_op(batch, 0, &op) == 0);

    EXPECT_OK(syncstore_batch_commit(batch, &error));
    EXPECT_OK(syncstore_pending_count(store, &pending, &error));
    EXPECT(pending == 12 && syncstore_batch_count(batch) == 12);
    EXPECT(syncstore_batch_id(batch, &id) == 1 && id.bytes[6] >> 4 == 4);
    memset(&last, 0, sizeof last);
    for (place = 0; place < syncstore_batch_count(batch); place++) {
        EXPECT(syncstore_batch_op(batch, place, &op) == 1);
        EXPECT(memcmp(last.bytes, op.bytes, sizeof op.bytes) < 0);
        EXPECT_OK(syncstore_outcome_of(store, &op, &outcome, &error));
        EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_QUEUED);
        syncstore_outcome_free(outcome);
        last = op;
    }
    EXPECT(syncstore_batch_op(batch, place, &op) == 0 && op.bytes[0] == 0);
    EXPECT_OK(syncstore_get(store, "notes", "n1", &json, &error));
    EXPECT_TEXT("{\"done\":true}", json.data);
    syncstore_text_free(&json);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_get(store, "notes", "n2", &json, &error));

    EXPECT_FAILS(SYNCSTORE_MISUSE, "committed before", syncstore_batch_commit(batch, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "committed before", syncstore_batch_delete(batch, "notes", "n1", &error));
    syncstore_batch_free(batch);
}

static void write_nothing(syncstore *store)
{
    syncstore_batch *batch;
    syncstore_text json;
    uint64_t before, after;

    EXPECT_OK(syncstore_pending_count(store, &before, &error));

    /* Whatever cannot be added leaves the batch as it was; whatever cannot be written leaves the store as it was. */
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_set(batch, "notes", "n3", "3", 1, &error));
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_batch_set(batch, "notes", "n4", "{", 1, &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "key is empty", syncstore_batch_delete(batch, "notes", "", &error));
    EXPECT_OK(syncstore_batch_patch(batch, "notes", "n1", WRONG, sizeof WRONG - 1, &error));
    EXPECT_FAILS(SYNCSTORE_PATCH_FAILED, "n1", syncstore_batch_commit(batch, &error));
    EXPECT_FAILS(SYNCSTORE_PATCH_FAILED, "n1", syncstore_batch_commit(batch, &error));
    EXPECT(syncstore_batch_count(batch) == 0 && syncstore_batch_id(batch, NULL) == 0);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_get(store, "notes", "n3", &json, &error));
    syncstore_batch_free(batch);

    /* The batch is as it was: once what it lacked is there it can be written. */
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_add_tag(batch, "notes", "n5", "red", &error));
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "n5", syncstore_batch_commit(batch, &error));
    EXPECT_OK(syncstore_pending_count(store, &after, &error));
    EXPECT(after == before);
    EXPECT_OK(syncstore_set(store, "notes", "n5", "5", 1, NULL, &error));
    EXPECT_OK(syncstore_batch_commit(batch, &error));
    EXPECT(syncstore_batch_count(batch) == 1);
    syncstore_batch_free(batch);

    /* Freed without a commit, and committed without an operation. */
    EXPECT_OK(syncstore_pending_count(store, &before, &error));
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_delete(batch, "notes", "n1", &error));
    syncstore_batch_free(batch);
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_commit(batch, &error));
    EXPECT(syncstore_batch_count(batch) == 0 && syncstore_batch_id(batch, NULL) == 0);
    syncstore_batch_free(batch);
    EXPECT_OK(syncstore_pending_count(store, &after, &error));
    EXPECT(after == before);
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("batches.db", NULL, &store, &error));
    write_all_at_once(store);
    write_nothing(store);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
