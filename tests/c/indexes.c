/* Automatic indexes: declared, built with a callback that can end that, read by bounds of every type, and dropped. */
#include "expect.h"

#define ITEMS 600

static syncstore_error *error = NULL;

static void set(syncstore *store, const char *key, const char *json)
{
    EXPECT_OK(syncstore_set(store, "tasks", key, json, strlen(json), NULL, &error));
}

/* Runs the query; true when it has these keys, with a space behind each. */
static int finds(syncstore_query *query, const char *expected)
{
    syncstore_rows *rows;
    syncstore_row row;
    char all[256];
    size_t len = 0;

    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    while (syncstore_rows_next(rows, &row) == 1) {
        EXPECT(len + row.key_len + 2 < sizeof all);
        memcpy(all + len, row.key, row.key_len);
        len += row.key_len;
        all[len++] = ' ';
    }
    all[len] = '\0';
    syncstore_rows_free(rows);
    if (strcmp(all, expected) != 0) {
        fprintf(stderr, "found \"%s\", not \"%s\"\n", all, expected);
    }
    return strcmp(all, expected) == 0;
}

static syncstore_query *query_of(syncstore *store, const char *index)
{
    syncstore_query *query;

    EXPECT_OK(syncstore_query_new(store, "tasks", &query, &error));
    EXPECT_OK(syncstore_query_index(query, index, &error));
    return query;
}

/* What the row at a place stands at. */
static syncstore_index_value order_at(syncstore_query *query, size_t place, const char *expected_text)
{
    syncstore_rows *rows;
    syncstore_index_value value;
    const char *text;
    size_t len;

    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    EXPECT(syncstore_rows_order_value(rows, place, &value, &text, &len) == 1);
    if (expected_text == NULL) {
        EXPECT(text == NULL && len == 0);
    } else {
        EXPECT(len == strlen(expected_text) && memcmp(text, expected_text, len) == 0);
    }
    syncstore_rows_free(rows);
    return value;
}

static void values_of_every_type(syncstore *store)
{
    syncstore_query *query;
    syncstore_index_value value;
    int32_t must_build = 7;

    EXPECT_OK(syncstore_declare_index(store, "tasks", "by_x", "/x", 0, &must_build, &error));
    EXPECT(must_build == 1);
    EXPECT_OK(syncstore_build_index(store, "tasks", "by_x", NULL, NULL, &error));
    EXPECT_OK(syncstore_declare_index(store, "tasks", "by_x", "/x", 0, &must_build, &error));
    EXPECT(must_build == 0);
    set(store, "no", "{\"x\": false}");
    set(store, "yes", "{\"x\": true}");
    set(store, "low", "{\"x\": -3.5}");
    set(store, "five", "{\"x\": 5.0}");
    set(store, "huge", "{\"x\": 18446744073709551615}");
    set(store, "text", "{\"x\": \"milk\"}");
    set(store, "empty", "{\"x\": \"\"}");
    set(store, "none", "{\"x\": null}");

    query = query_of(store, "by_x");
    EXPECT(finds(query, "no yes low five huge empty text "));
    value = order_at(query, 1, NULL);
    EXPECT(value.index_type == SYNCSTORE_INDEX_BOOL && value.integer == 1);
    value = order_at(query, 2, NULL);
    EXPECT(value.index_type == SYNCSTORE_INDEX_REAL && value.real == -3.5);
    value = order_at(query, 3, NULL);
    EXPECT(value.index_type == SYNCSTORE_INDEX_INTEGER && value.integer == 5);
    value = order_at(query, 4, NULL);
    EXPECT(value.index_type == SYNCSTORE_INDEX_UNSIGNED && value.unsigned_integer == UINT64_MAX);
    value = order_at(query, 5, "");
    EXPECT(value.index_type == SYNCSTORE_INDEX_TEXT && value.integer == 0);
    value = order_at(query, 6, "milk");

    /* A bound leads to the end of its own type. */
    EXPECT_OK(syncstore_query_from_bool(query, 1, &error));
    EXPECT(finds(query, "yes "));
    EXPECT_OK(syncstore_query_from_integer(query, 5, &error));
    EXPECT(finds(query, "five huge "));
    EXPECT_OK(syncstore_query_from_unsigned(query, UINT64_MAX, &error));
    EXPECT(finds(query, "huge "));
    EXPECT_OK(syncstore_query_from_real(query, -3.5, &error));
    EXPECT_OK(syncstore_query_to_integer(query, 5, &error));
    EXPECT(finds(query, "low "));
    EXPECT_OK(syncstore_query_to_real(query, 5.5, &error));
    EXPECT(finds(query, "low five "));
    EXPECT_OK(syncstore_query_to_unsigned(query, UINT64_MAX, &error));
    EXPECT(finds(query, "low five "));
    EXPECT_OK(syncstore_query_from_text(query, NULL, 0, &error));
    EXPECT_OK(syncstore_query_to_bool(query, 1, &error));
    EXPECT(finds(query, "no "));
    EXPECT_OK(syncstore_query_to_text(query, NULL, 0, &error));
    EXPECT_OK(syncstore_query_prefix(query, "mi", 2, &error));
    EXPECT(finds(query, "text "));
    syncstore_query_free(query);
}

static void dates(syncstore *store)
{
    syncstore_query *query;
    syncstore_index_value value;

    EXPECT_OK(syncstore_declare_index(store, "tasks", "by_due", "/due", 1, NULL, &error));
    set(store, "late", "{\"due\": \"2026-11-21T07:00:00.5Z\"}");
    set(store, "soon", "{\"due\": \"2026-11-21T08:00:00+02:00\"}");
    query = query_of(store, "by_due");
    EXPECT(finds(query, "soon late "));
    value = order_at(query, 1, NULL);
    EXPECT(value.index_type == SYNCSTORE_INDEX_INSTANT && value.nanos == 500000000 && value.integer == 1795244400);
    EXPECT_OK(syncstore_query_from_text(query, "2026-11-21T09:00:00+03:00", 25, &error));
    EXPECT(finds(query, "soon late "));
    EXPECT_OK(syncstore_query_from_instant(query, 1795244400, 1, &error));
    EXPECT(finds(query, "late "));
    EXPECT_OK(syncstore_query_to_instant(query, 1795244400, 500000000, &error));
    EXPECT(finds(query, ""));
    syncstore_query_free(query);
}

typedef struct told {
    syncstore *store;
    uint64_t calls;
    uint64_t done;
} told;

static int32_t go_on(void *user_data, uint64_t done, uint64_t total)
{
    told *so_far = user_data;

    EXPECT(done > so_far->done && done <= total && total >= ITEMS);
    so_far->done = done;
    so_far->calls++;
    return 0;
}

static int32_t end_it(void *user_data, uint64_t done, uint64_t total)
{
    go_on(user_data, done, total);
    return 1;
}

static int32_t close_it(void *user_data, uint64_t done, uint64_t total)
{
    told *so_far = user_data;

    go_on(user_data, done, total);
    EXPECT_OK(syncstore_close(so_far->store, NULL, &error));
    return 0;
}

static void fill(syncstore *store)
{
    syncstore_batch *batch;
    char key[16], json[32];
    int at;

    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    for (at = 0; at < ITEMS; at++) {
        int len = snprintf(json, sizeof json, "{\"size\": %d}", at);
        snprintf(key, sizeof key, "t%04d", at);
        EXPECT_OK(syncstore_batch_set(batch, "tasks", key, json, (size_t)len, &error));
    }
    EXPECT_OK(syncstore_batch_commit(batch, &error));
    syncstore_batch_free(batch);
}

static void build(syncstore *store)
{
    told first = {NULL, 0, 0}, rest = {NULL, 0, 0};
    syncstore_query *query;
    syncstore_rows *rows;
    int32_t must_build = 0, was_there = 0;

    fill(store);
    EXPECT_OK(syncstore_declare_index(store, "tasks", "by_size", "/size", 0, &must_build, &error));
    EXPECT(must_build == 1);
    query = query_of(store, "by_size");
    EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_build_index(store, "tasks", "by_size", end_it, &first, &error));
    EXPECT(first.calls == 1);
    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    EXPECT(syncstore_rows_is_complete(rows) == 0 && syncstore_rows_count(rows) < ITEMS);
    syncstore_rows_free(rows);

    /* The next call goes on from there. */
    EXPECT_OK(syncstore_build_index(store, "tasks", "by_size", go_on, &rest, &error));
    EXPECT(rest.calls > 0 && rest.done + first.done >= ITEMS && rest.done < ITEMS + first.done);
    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    EXPECT(syncstore_rows_is_complete(rows) == 1 && syncstore_rows_count(rows) == ITEMS);
    syncstore_rows_free(rows);

    EXPECT_OK(syncstore_declare_index(store, "tasks", "by_size", "/size", 0, &must_build, &error));
    EXPECT(must_build == 0);
    EXPECT_OK(syncstore_drop_index(store, "tasks", "by_size", &was_there, &error));
    EXPECT(was_there == 1);
    EXPECT_OK(syncstore_drop_index(store, "tasks", "by_size", &was_there, &error));
    EXPECT(was_there == 0);
    EXPECT_FAILS(SYNCSTORE_INDEX, "by_size", syncstore_build_index(store, "tasks", "by_size", NULL, NULL, &error));
    EXPECT(finds(query, ""));
    syncstore_query_free(query);
    EXPECT_FAILS(SYNCSTORE_INDEX, "Pointer", syncstore_declare_index(store, "tasks", "by_x", "x", 0, NULL, &error));
}

static void close_within_a_build(syncstore *store)
{
    told so_far = {NULL, 0, 0};

    so_far.store = store;
    EXPECT_OK(syncstore_declare_index(store, "tasks", "by_size", "/size", 0, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_CLOSED, "closed",
                 syncstore_build_index(store, "tasks", "by_size", close_it, &so_far, &error));
    EXPECT(so_far.calls == 1);
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("indexes.db", NULL, &store, &error));
    values_of_every_type(store);
    dates(store);
    build(store);
    close_within_a_build(store);
    syncstore_free(store);

    EXPECT_OK(syncstore_open("indexes.db", NULL, &store, &error));
    EXPECT_OK(syncstore_build_index(store, "tasks", "by_size", NULL, NULL, &error));
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
