/* Ten megabytes wherever the local model takes a text: refused where there is a limit, taken or not found where there is none, and never for long. */
#include "expect.h"

#define TEN_MEGABYTES ((size_t)10 << 20)

static syncstore_error *error = NULL;

static const char *large;

#define LIMIT(call) EXPECT_STATUS_OF(SYNCSTORE_LIMIT, call)

/* The error may repeat the text, so nothing is looked for in it. */
#define EXPECT_STATUS_OF(expected, call)        \
    do {                                        \
        EXPECT_STATUS(expected, call);          \
        syncstore_error_free(error);            \
        error = NULL;                           \
    } while (0)

static void writing(syncstore *store)
{
    syncstore_batch *batch;
    uint64_t count;

    LIMIT(syncstore_set(store, large, "k", "1", 1, NULL, &error));
    LIMIT(syncstore_set(store, "c", large, "1", 1, NULL, &error));
    EXPECT_STATUS_OF(SYNCSTORE_JSON, syncstore_set(store, "c", "k", large, TEN_MEGABYTES, NULL, &error));
    EXPECT_STATUS_OF(SYNCSTORE_JSON, syncstore_patch(store, "c", "k", large, TEN_MEGABYTES, NULL, &error));
    LIMIT(syncstore_delete(store, "c", large, NULL, &error));
    LIMIT(syncstore_set_index(store, "c", "k", large, "o", NULL, &error));
    LIMIT(syncstore_set_index(store, "c", "k", "i", large, NULL, &error));
    LIMIT(syncstore_set_relation(store, "c", "k", large, "in", "c", "k", NULL, &error));
    LIMIT(syncstore_set_relation(store, "c", "k", "r", large, "c", "k", NULL, &error));
    LIMIT(syncstore_set_relation(store, "c", "k", "r", "in", "c", large, NULL, &error));
    LIMIT(syncstore_add_tag(store, "c", "k", large, NULL, &error));
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    LIMIT(syncstore_batch_set(batch, "c", large, "1", 1, &error));
    EXPECT_OK(syncstore_batch_commit(batch, &error));
    syncstore_batch_free(batch);
    EXPECT_OK(syncstore_pending_count(store, &count, &error));
    EXPECT(count == 1);
}

/* Of so many kinds each one is told, and the query run by key and by an index. */
static void querying(syncstore *store)
{
    syncstore_list_options options = SYNCSTORE_LIST_OPTIONS_INIT;
    syncstore_query *query;
    syncstore_rows *rows;
    int kind;

    for (kind = 0; kind < 12; kind++) {
        const char *index = kind < 6 ? NULL : "by";

        EXPECT_OK(syncstore_query_new(store, kind % 6 == 5 ? large : "c", &query, &error));
        EXPECT_OK(syncstore_query_index(query, kind % 6 == 4 ? large : index, &error));
        if (kind % 6 == 0) EXPECT_OK(syncstore_query_prefix(query, large, TEN_MEGABYTES, &error));
        if (kind % 6 == 1) EXPECT_OK(syncstore_query_from_text(query, large, TEN_MEGABYTES, &error));
        if (kind % 6 == 2) EXPECT_OK(syncstore_query_to_text(query, large, TEN_MEGABYTES, &error));
        if (kind % 6 == 3) {
            EXPECT_OK(syncstore_query_resume(query, large, TEN_MEGABYTES, &error));
            EXPECT_STATUS_OF(SYNCSTORE_RESUME_TOKEN, syncstore_query_run(query, &rows, &error));
        } else {
            EXPECT_OK(syncstore_query_run(query, &rows, &error));
        }
        EXPECT(syncstore_rows_count(rows) == (kind % 6 == 2 ? 1 : 0));
        syncstore_rows_free(rows);
        syncstore_query_free(query);
    }
    options.to = large;
    EXPECT_OK(syncstore_list(store, "c", &options, &rows, &error));
    EXPECT(syncstore_rows_count(rows) == 1);
    syncstore_rows_free(rows);
}

static void selecting(syncstore *store)
{
    syncstore_sql *sql;
    syncstore_sql_rows *rows;
    size_t len;

    EXPECT_OK(syncstore_sql_new(store, large, TEN_MEGABYTES, &sql, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SQL, syncstore_sql_run(sql, &rows, &error));
    syncstore_sql_free(sql);
    EXPECT_OK(syncstore_sql_new(store, "SELECT ?", 8, &sql, &error));
    EXPECT_OK(syncstore_sql_bind_text(sql, NULL, large, TEN_MEGABYTES, &error));
    EXPECT_OK(syncstore_sql_run(sql, &rows, &error));
    EXPECT(syncstore_sql_rows_text(rows, 0, 0, &len) != NULL && len == TEN_MEGABYTES);
    syncstore_sql_rows_free(rows);
    EXPECT_OK(syncstore_sql_bind_blob(sql, large, large, TEN_MEGABYTES, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SQL, syncstore_sql_run(sql, &rows, &error));
    syncstore_sql_free(sql);
}

static void declaring_and_searching(syncstore *store)
{
    syncstore_search_options options = SYNCSTORE_SEARCH_OPTIONS_INIT;
    const char *field = "/x";
    char *pointer = malloc(TEN_MEGABYTES + 1);
    syncstore_hits *hits;
    size_t at;

    EXPECT_OK(syncstore_declare_search(store, "s", "c", &field, 1, NULL, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SEARCH, syncstore_search(store, "s", SYNCSTORE_SEARCH_WORDS, large, TEN_MEGABYTES, NULL, &hits, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SEARCH, syncstore_search(store, "s", SYNCSTORE_SEARCH_EXPRESSION, large, TEN_MEGABYTES, NULL, &hits, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SEARCH, syncstore_search(store, large, SYNCSTORE_SEARCH_WORDS, "x", 1, NULL, &hits, &error));
    options.mark_before = large;
    EXPECT_OK(syncstore_search(store, "s", SYNCSTORE_SEARCH_WORDS, "x", 1, &options, &hits, &error));
    syncstore_hits_free(hits);

    /* A pointer of five million steps: an error that says so, and not all of it. */
    EXPECT(pointer != NULL);
    for (at = 0; at < TEN_MEGABYTES; at++) {
        pointer[at] = at % 2 == 0 ? '/' : 'a';
    }
    pointer[TEN_MEGABYTES] = '\0';
    field = pointer;
    EXPECT_STATUS(SYNCSTORE_SEARCH, syncstore_declare_search(store, "s", "c", &field, 1, NULL, &error));
    EXPECT(strlen(syncstore_error_message(error)) < 200);
    syncstore_error_free(error);
    EXPECT_STATUS(SYNCSTORE_INDEX, syncstore_declare_index(store, "c", "i", pointer, 0, NULL, &error));
    EXPECT(strlen(syncstore_error_message(error)) < 200);
    syncstore_error_free(error);
    error = NULL;
    LIMIT(syncstore_declare_index(store, "c", large, "/x", 0, NULL, &error));
    free(pointer);
}

static void others(syncstore *store)
{
    syncstore_filter *filter;
    syncstore_walk *walk;
    syncstore_related_items *found;
    syncstore_text json;
    syncstore_wire *wire;
    syncstore_ref op;

    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_get(store, "c", large, &json, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_get(store, large, "k", &json, &error));
    LIMIT(syncstore_filter_from_text(large, &filter, &error));
    EXPECT_OK(syncstore_filter_from_text("c", &filter, &error));
    EXPECT_OK(syncstore_filter_and_prefix(filter, "d", large, &error));
    LIMIT(syncstore_keep(store, filter, NULL, &error));
    syncstore_filter_free(filter);
    EXPECT_OK(syncstore_walk_new(store, "c", large, &walk, &error));
    EXPECT_OK(syncstore_walk_forwards(walk, large, &error));
    EXPECT_OK(syncstore_walk_run(walk, &found, &error));
    EXPECT(syncstore_related_items_count(found) == 0);
    syncstore_related_items_free(found);
    syncstore_walk_free(walk);
    EXPECT_STATUS_OF(SYNCSTORE_MISUSE, syncstore_ref_from_text(large, &op, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SETUP, syncstore_wire_http(large, "db", NULL, &wire, &error));
    EXPECT_STATUS_OF(SYNCSTORE_SETUP, syncstore_wire_http("http://localhost", large, NULL, &wire, &error));
}

int main(void)
{
    char *made = malloc(TEN_MEGABYTES + 1);
    syncstore *store;

    EXPECT(made != NULL);
    memset(made, 'z', TEN_MEGABYTES);
    made[TEN_MEGABYTES] = '\0';
    large = made;
    EXPECT_OK(syncstore_open("large.db", NULL, &store, &error));
    EXPECT_OK(syncstore_set(store, "c", "k", "{\"x\":\"a\"}", 9, NULL, &error));
    EXPECT_OK(syncstore_declare_index(store, "c", "by", "/x", 0, NULL, &error));
    EXPECT_OK(syncstore_build_index(store, "c", "by", NULL, NULL, &error));
    writing(store);
    querying(store);
    selecting(store);
    declaring_and_searching(store);
    others(store);
    syncstore_free(store);
    free(made);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
