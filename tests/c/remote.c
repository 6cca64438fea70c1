/* Data of a server without a replica: its URL, a token, a key and the key's secret are the arguments. */
#include "expect.h"
#include "silent.h"
#include <unistd.h>

static syncstore_error *error = NULL;

static void set(syncstore_remote *remote, const char *collection, const char *key, const char *json, uint64_t *rev)
{
    EXPECT_OK(syncstore_remote_set(remote, collection, key, json, strlen(json), NULL, rev, &error));
}

static void items(syncstore_remote *remote)
{
    static const char PATCH[] = "[{\"op\":\"replace\",\"path\":\"/done\",\"value\":true}]";
    static const char MISSING[] = "[{\"op\":\"test\",\"path\":\"/no\",\"value\":1}]";
    syncstore_write_options absent = SYNCSTORE_WRITE_OPTIONS_INIT, known = SYNCSTORE_WRITE_OPTIONS_INIT;
    syncstore_remote_item *item;
    uint64_t made, changed, gone;

    absent.precondition = SYNCSTORE_PRECONDITION_ABSENT;
    known.precondition = SYNCSTORE_PRECONDITION_REV;
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_remote_get(remote, "notes", "n1", &item, &error));
    EXPECT(item == NULL);
    EXPECT_OK(syncstore_remote_set(remote, "notes", "n1", "{\"done\":false}", 14, &absent, &made, &error));
    EXPECT(made > 0);
    EXPECT_STATUS(SYNCSTORE_PRECONDITION_FAILED, syncstore_remote_set(remote, "notes", "n1", "1", 1, &absent, &gone, &error));
    EXPECT(gone == 0 && syncstore_error_rev(error) == made);
    EXPECT_TEXT("notes", syncstore_error_collection(error));
    EXPECT_TEXT("n1", syncstore_error_key(error));
    EXPECT(syncstore_error_rejection(error) == NULL && syncstore_error_cause(error) == SYNCSTORE_OK);
    syncstore_error_free(error);
    error = NULL;

    known.rev = made;
    EXPECT_OK(syncstore_remote_patch(remote, "notes", "n1", PATCH, sizeof PATCH - 1, &known, &changed, &error));
    EXPECT(changed > made);
    EXPECT_STATUS(SYNCSTORE_UNCHANGED, syncstore_remote_get_newer(remote, "notes", "n1", changed, &item, &error));
    EXPECT(item == NULL);
    EXPECT_OK(syncstore_remote_get_newer(remote, "notes", "n1", made, &item, &error));
    EXPECT_TEXT("{\"done\":true}", syncstore_remote_item_value(item));
    EXPECT(syncstore_remote_item_rev(item) == changed);
    EXPECT(strstr(syncstore_remote_item_json(item), "\"tags\":[]") != NULL);
    syncstore_remote_item_free(item);

    EXPECT_STATUS(SYNCSTORE_REJECTED, syncstore_remote_patch(remote, "notes", "n1", MISSING, sizeof MISSING - 1, NULL, NULL, &error));
    EXPECT_TEXT("patch_failed", syncstore_error_rejection(error));
    EXPECT_TEXT("/no", syncstore_error_patch_path(error));
    EXPECT(syncstore_error_patch_operation(error) == 0 && syncstore_error_failed_write(error) == -1);
    syncstore_error_free(error);
    error = NULL;
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "none", syncstore_remote_patch(remote, "notes", "none", "[]", 2, NULL, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_remote_set(remote, "notes", "n1", "{", 1, NULL, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "key", syncstore_remote_set(remote, "notes", "", "1", 1, NULL, NULL, &error));

    EXPECT_OK(syncstore_remote_delete(remote, "notes", "n1", NULL, &gone, &error));
    EXPECT(gone > changed);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_remote_get_newer(remote, "notes", "n1", changed, &item, &error));
    EXPECT_OK(syncstore_remote_delete(remote, "notes", "n1", NULL, &gone, &error));
    EXPECT(gone == 0);
}

static void resources(syncstore_remote *remote)
{
    syncstore_text json;
    syncstore_write_options exists = SYNCSTORE_WRITE_OPTIONS_INIT;

    exists.precondition = SYNCSTORE_PRECONDITION_EXISTS;
    set(remote, "notes", "n2", "2", NULL);
    EXPECT_OK(syncstore_remote_set_index(remote, "notes", "n2", "by_date", "2026-11-20", NULL, NULL, &error));
    EXPECT_OK(syncstore_remote_indexes(remote, "notes", "n2", &json, &error));
    EXPECT_TEXT("{\"by_date\":\"2026-11-20\"}", json.data);
    syncstore_text_free(&json);
    EXPECT_OK(syncstore_remote_delete_index(remote, "notes", "n2", "by_date", &exists, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_PRECONDITION_FAILED, "", syncstore_remote_delete_index(remote, "notes", "n2", "by_date", &exists, NULL, &error));

    EXPECT_OK(syncstore_remote_set_relation(remote, "notes", "n2", "r1", "in", "folders", "f1", NULL, NULL, &error));
    EXPECT_OK(syncstore_remote_relations(remote, "notes", "n2", &json, &error));
    EXPECT_TEXT("[{\"id\":\"r1\",\"predicate\":\"in\",\"object\":{\"collection\":\"folders\",\"key\":\"f1\"}}]", json.data);
    syncstore_text_free(&json);
    EXPECT_OK(syncstore_remote_delete_relation(remote, "notes", "n2", "r1", NULL, NULL, &error));

    EXPECT_OK(syncstore_remote_add_tag(remote, "notes", "n2", "team:7", NULL, NULL, &error));
    EXPECT_OK(syncstore_remote_tags(remote, "notes", "n2", &json, &error));
    EXPECT_TEXT("[\"team:7\"]", json.data);
    syncstore_text_free(&json);
    EXPECT_OK(syncstore_remote_remove_tag(remote, "notes", "n2", "team:7", NULL, NULL, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_remote_tags(remote, "notes", "none", &json, &error));
    EXPECT(json.data == NULL);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_remote_indexes(remote, "notes", "none", &json, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_remote_relations(remote, "notes", "none", &json, &error));
}

static void batches(syncstore_remote *remote)
{
    syncstore_write_options first = SYNCSTORE_WRITE_OPTIONS_INIT, stale = SYNCSTORE_WRITE_OPTIONS_INIT;
    syncstore_remote_batch *batch;
    syncstore_ref op;
    uint64_t revs[11], again[11];
    int place;

    EXPECT_OK(syncstore_remote_new_ref(remote, &op, &error));
    first.op = &op;
    first.has_base = 1;
    EXPECT_OK(syncstore_remote_batch_new(remote, &batch, &error));
    EXPECT_OK(syncstore_remote_batch_commit(batch, NULL, 0, &error));
    EXPECT_OK(syncstore_remote_batch_set(batch, "notes", "b1", "{\"n\":1}", 7, &first, &error));
    EXPECT_OK(syncstore_remote_batch_patch(batch, "notes", "b1", "[{\"op\":\"remove\",\"path\":\"/n\"}]", 29, NULL, &error));
    EXPECT_OK(syncstore_remote_batch_set(batch, "notes", "b2", "2", 1, NULL, &error));
    EXPECT_OK(syncstore_remote_batch_set_index(batch, "notes", "b1", "i", "o", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_delete_index(batch, "notes", "b1", "i", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_set_relation(batch, "notes", "b1", "r", "in", "folders", "f1", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_delete_relation(batch, "notes", "b1", "r", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_add_tag(batch, "notes", "b1", "t", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_remove_tag(batch, "notes", "b1", "t", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_delete(batch, "notes", "b2", NULL, &error));
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_remote_batch_set(batch, "notes", "b3", "{", 1, NULL, &error));
    EXPECT(syncstore_remote_batch_count(batch) == 10);
    EXPECT_OK(syncstore_remote_batch_commit(batch, revs, 11, &error));
    for (place = 0; place < 10; place++) {
        EXPECT(revs[place] > 0);
    }
    EXPECT(revs[10] == 0);
    /* The same refs: it is only told what it did. */
    EXPECT_OK(syncstore_remote_batch_commit(batch, again, 10, &error));
    EXPECT(memcmp(revs, again, 10 * sizeof revs[0]) == 0);
    syncstore_remote_batch_free(batch);

    set(remote, "strict", "s1", "1", NULL);
    EXPECT_OK(syncstore_remote_batch_new(remote, &batch, &error));
    stale.has_base = 1;
    EXPECT_OK(syncstore_remote_batch_set(batch, "notes", "b4", "4", 1, NULL, &error));
    EXPECT_OK(syncstore_remote_batch_set(batch, "strict", "s1", "2", 1, &stale, &error));
    EXPECT_STATUS(SYNCSTORE_REJECTED, syncstore_remote_batch_commit(batch, NULL, 0, &error));
    EXPECT_TEXT("stale", syncstore_error_rejection(error));
    EXPECT(syncstore_error_failed_write(error) == 1 && syncstore_error_rev(error) > 0);
    EXPECT(syncstore_error_patch_path(error) == NULL && syncstore_error_patch_operation(error) == -1);
    EXPECT_TEXT("s1", syncstore_error_key(error));
    syncstore_error_free(error);
    error = NULL;
    syncstore_remote_batch_free(batch);
}

static void listings(syncstore_remote *remote)
{
    syncstore_remote_query query = SYNCSTORE_REMOTE_QUERY_INIT;
    syncstore_remote_page *page;
    char next[4097];

    set(remote, "lists", "a1", "1", NULL);
    set(remote, "lists", "a2", "2", NULL);
    set(remote, "lists", "b1", "3", NULL);
    EXPECT_OK(syncstore_remote_set_index(remote, "lists", "b1", "by", "x", NULL, NULL, &error));
    EXPECT_OK(syncstore_remote_list(remote, "lists", NULL, &page, &error));
    EXPECT(syncstore_remote_page_count(page) == 3 && syncstore_remote_page_next(page) == NULL);
    EXPECT_TEXT("a2", syncstore_remote_page_key(page, 1));
    EXPECT_TEXT("2", syncstore_remote_page_value(page, 1));
    EXPECT(syncstore_remote_page_rev(page, 1) > 0 && syncstore_remote_page_items(page, 1) == 0);
    EXPECT(syncstore_remote_page_order(page, 1) == NULL && syncstore_remote_page_key(page, 3) == NULL);
    EXPECT(syncstore_remote_page_value(page, 3) == NULL && syncstore_remote_page_rev(page, 3) == 0);
    syncstore_remote_page_free(page);

    query.prefix = "a";
    query.from = "a1";
    query.to = "b";
    query.reverse = 1;
    query.limit = 1;
    EXPECT_OK(syncstore_remote_list(remote, "lists", &query, &page, &error));
    EXPECT(syncstore_remote_page_count(page) == 1);
    EXPECT_TEXT("a2", syncstore_remote_page_key(page, 0));
    EXPECT(strlen(syncstore_remote_page_next(page)) < sizeof next);
    strcpy(next, syncstore_remote_page_next(page));
    syncstore_remote_page_free(page);
    query.after = next;
    EXPECT_OK(syncstore_remote_list(remote, "lists", &query, &page, &error));
    EXPECT_TEXT("a1", syncstore_remote_page_key(page, 0));
    syncstore_remote_page_free(page);
    query.prefix = NULL;
    EXPECT_FAILS(SYNCSTORE_REFUSED, "", syncstore_remote_list(remote, "lists", &query, &page, &error));

    memset(&query, 0, sizeof query);
    query.struct_size = sizeof query;
    query.index = "by";
    EXPECT_OK(syncstore_remote_list(remote, "lists", &query, &page, &error));
    EXPECT(syncstore_remote_page_count(page) == 1);
    EXPECT_TEXT("x", syncstore_remote_page_order(page, 0));
    syncstore_remote_page_free(page);

    EXPECT_OK(syncstore_remote_collections(remote, NULL, &page, &error));
    EXPECT(syncstore_remote_page_count(page) == 3);
    EXPECT_TEXT("lists", syncstore_remote_page_key(page, 0));
    EXPECT(syncstore_remote_page_items(page, 0) == 3 && syncstore_remote_page_rev(page, 0) == 0);
    EXPECT(syncstore_remote_page_value(page, 0) == NULL && syncstore_remote_page_items(page, 9) == 0);
    syncstore_remote_page_free(page);
}

static void answers_that_do_not_come(syncstore_remote *remote)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_write_options same = SYNCSTORE_WRITE_OPTIONS_INIT;
    syncstore_remote *nowhere, *cancelled;
    syncstore_cancel *cancel = syncstore_cancel_new();
    syncstore_remote_item *item;
    syncstore_ref op;
    uint64_t rev, again;
    char at[64];
    int listener;

    options.connect_timeout_ms = 10000;
    EXPECT_OK(syncstore_remote_new("http://127.0.0.1:1", "notes", &options, &nowhere, &error));
    EXPECT_FAILS(SYNCSTORE_UNREACHABLE, "", syncstore_remote_set(nowhere, "notes", "u1", "1", 1, NULL, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_UNREACHABLE, "", syncstore_remote_get(nowhere, "notes", "u1", &item, &error));
    syncstore_remote_free(nowhere);

    /* It was sent, and no answer came: it may have been done. */
    listener = silent(at, sizeof at);
    options.call_timeout_ms = 200;
    EXPECT_OK(syncstore_remote_new(at, "notes", &options, &nowhere, &error));
    EXPECT_STATUS(SYNCSTORE_UNCONFIRMED, syncstore_remote_set(nowhere, "notes", "u1", "1", 1, NULL, NULL, &error));
    EXPECT(syncstore_error_cause(error) == SYNCSTORE_TIMED_OUT && syncstore_error_retryable(error) == 1);
    EXPECT(syncstore_error_ref(error, &op) == 1);
    syncstore_error_free(error);
    error = NULL;
    syncstore_remote_free(nowhere);
    close(listener);

    /* The same write under the same ref, as often as one likes. */
    same.op = &op;
    EXPECT_OK(syncstore_remote_set(remote, "notes", "u1", "1", 1, &same, &rev, &error));
    EXPECT_OK(syncstore_remote_set(remote, "notes", "u1", "1", 1, &same, &again, &error));
    EXPECT(rev == again);
    EXPECT_STATUS(SYNCSTORE_REJECTED, syncstore_remote_set(remote, "notes", "u1", "2", 1, &same, NULL, &error));
    EXPECT_TEXT("ref_reused", syncstore_error_rejection(error));
    syncstore_error_free(error);
    error = NULL;

    EXPECT_OK(syncstore_remote_cancellable(remote, cancel, &cancelled, &error));
    EXPECT_OK(syncstore_remote_get(cancelled, "notes", "u1", &item, &error));
    syncstore_remote_item_free(item);
    syncstore_cancel_cancel(cancel);
    EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_remote_get(cancelled, "notes", "u1", &item, &error));
    EXPECT_OK(syncstore_remote_get(remote, "notes", "u1", &item, &error));
    syncstore_remote_item_free(item);
    syncstore_cancel_free(cancel);
    syncstore_remote_free(cancelled);
}

int main(int count, char **arguments)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_traffic traffic;
    syncstore_remote *remote;
    syncstore_text json;

    EXPECT(count == 5);
    options.bearer_token = "hunter2";
    EXPECT_OK(syncstore_remote_new(arguments[1], "notes", &options, &remote, &error));
    EXPECT_STATUS(SYNCSTORE_UNAUTHENTICATED, syncstore_remote_info(remote, &json, &error));
    EXPECT(strstr(syncstore_error_message(error), "hunter2") == NULL);
    syncstore_error_free(error);
    error = NULL;
    syncstore_remote_free(remote);

    options.bearer_token = arguments[2];
    EXPECT_OK(syncstore_remote_new(arguments[1], "notes", &options, &remote, &error));
    EXPECT_OK(syncstore_remote_info(remote, &json, &error));
    EXPECT(strstr(json.data, "\"limits\"") != NULL);
    syncstore_text_free(&json);
    items(remote);
    resources(remote);
    batches(remote);
    listings(remote);
    answers_that_do_not_come(remote);
    EXPECT_OK(syncstore_remote_traffic(remote, &traffic, &error));
    EXPECT(traffic.sent > 0 && traffic.received > 0 && traffic.round_trips > 20);
    syncstore_remote_free(remote);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
