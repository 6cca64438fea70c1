/* Listings and queries: ranges of keys and of an index's ordering keys, page by page, row by row. */
#include "expect.h"

static syncstore_error *error = NULL;

static const char *const TASKS[][2] = {
    {"bread", "2026-11-21"}, {"cat", "2026-12-01"}, {"milk", "2026-11-23"}, {"tax", "2027-01-31"}};

static int is(const char *text, size_t len, const char *expected)
{
    return text != NULL && len == strlen(expected) && memcmp(text, expected, len) == 0;
}

/* The keys of all rows, in order, with a space behind each. */
static const char *keys(syncstore_rows *rows)
{
    static char all[256];
    syncstore_row row;
    size_t len = 0;

    while (syncstore_rows_next(rows, &row) == 1) {
        EXPECT(len + row.key_len + 2 < sizeof all);
        memcpy(all + len, row.key, row.key_len);
        len += row.key_len;
        all[len++] = ' ';
    }
    all[len] = '\0';
    EXPECT(row.key == NULL && row.key_len == 0 && row.value == NULL && row.order == NULL);
    EXPECT(syncstore_rows_next(rows, &row) == 0);
    return all;
}

#define EXPECT_KEYS(expected, query)                                                       \
    do {                                                                                   \
        syncstore_rows *rows_;                                                             \
        EXPECT_OK(syncstore_query_run(query, &rows_, &error));                             \
        EXPECT_TEXT(expected, keys(rows_));                                                \
        syncstore_rows_free(rows_);                                                        \
    } while (0)

static void write_tasks(syncstore *store)
{
    size_t place;

    for (place = 0; place < sizeof TASKS / sizeof *TASKS; place++) {
        char json[32];
        int len = snprintf(json, sizeof json, "\"%s\"", TASKS[place][1]);
        EXPECT_OK(syncstore_set(store, "tasks", TASKS[place][0], json, (size_t)len, NULL, &error));
        EXPECT_OK(syncstore_set_index(store, "tasks", TASKS[place][0], "by_due", TASKS[place][1], NULL, &error));
    }
    EXPECT_OK(syncstore_set(store, "tasks", "without", "null", 4, NULL, &error));
}

static void list(syncstore *store)
{
    syncstore_list_options options = SYNCSTORE_LIST_OPTIONS_INIT;
    syncstore_rows *rows;
    syncstore_row row;
    size_t len = 7;

    EXPECT_OK(syncstore_list(store, "tasks", NULL, &rows, &error));
    EXPECT(syncstore_rows_count(rows) == 5 && syncstore_rows_more(rows) == 0 && syncstore_rows_is_complete(rows) == 1);
    EXPECT(syncstore_rows_at(rows, 0, &row) == 1);
    EXPECT(is(row.key, row.key_len, "bread") && is(row.value, row.value_len, "\"2026-11-21\"") && row.order == NULL);
    EXPECT(syncstore_rows_order_value(rows, 0, NULL, NULL, NULL) == 0);
    EXPECT(syncstore_rows_token(rows, &len) == NULL && len == 0);
    EXPECT_TEXT("bread cat milk tax without ", keys(rows));
    EXPECT(syncstore_rows_at(rows, 4, &row) == 1 && is(row.key, row.key_len, "without"));
    EXPECT(syncstore_rows_at(rows, 5, &row) == 0 && row.key == NULL);
    syncstore_rows_free(rows);

    options.from = "c";
    options.to = "tb";
    options.reverse = 1;
    options.limit = 2;
    EXPECT_OK(syncstore_list(store, "tasks", &options, &rows, &error));
    EXPECT(syncstore_rows_more(rows) == 1);
    EXPECT_TEXT("tax milk ", keys(rows));
    syncstore_rows_free(rows);
    options.after = "milk";
    EXPECT_OK(syncstore_list(store, "tasks", &options, &rows, &error));
    EXPECT(syncstore_rows_more(rows) == 0);
    EXPECT_TEXT("cat ", keys(rows));
    syncstore_rows_free(rows);

    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.prefix = "mi";
    EXPECT_OK(syncstore_list(store, "tasks", &options, &rows, &error));
    EXPECT_TEXT("milk ", keys(rows));
    syncstore_rows_free(rows);
}

static void query_by_key(syncstore *store)
{
    syncstore_query *query;

    EXPECT_OK(syncstore_query_new(store, "tasks", &query, &error));
    EXPECT_KEYS("bread cat milk tax without ", query);
    EXPECT_OK(syncstore_query_from_text(query, "cat", 3, &error));
    EXPECT_OK(syncstore_query_to_text(query, "tax", 3, &error));
    EXPECT_KEYS("cat milk ", query);
    EXPECT_OK(syncstore_query_reverse(query, 1, &error));
    EXPECT_KEYS("milk cat ", query);
    /* What is told again takes the place of what was told before, and NULL takes it back. */
    EXPECT_OK(syncstore_query_from_text(query, NULL, 0, &error));
    EXPECT_OK(syncstore_query_to_text(query, NULL, 0, &error));
    EXPECT_OK(syncstore_query_prefix(query, "t", 1, &error));
    EXPECT_KEYS("tax ", query);
    EXPECT_OK(syncstore_query_prefix(query, NULL, 0, &error));
    EXPECT_OK(syncstore_query_limit(query, 2, &error));
    EXPECT_KEYS("without tax ", query);
    EXPECT_OK(syncstore_query_limit(query, -1, &error));
    EXPECT_KEYS("without tax milk cat bread ", query);
    EXPECT_OK(syncstore_query_from_integer(query, 1, &error));
    {
        syncstore_rows *rows;
        EXPECT_FAILS(SYNCSTORE_INDEX, "texts alone", syncstore_query_run(query, &rows, &error));
        EXPECT(rows == NULL);
    }
    syncstore_query_free(query);
}

static void query_by_index_page_by_page(syncstore *store)
{
    syncstore_query *query;
    syncstore_rows *first, *rest;
    syncstore_row row;
    syncstore_index_value value;
    const char *token, *text;
    size_t len;

    EXPECT_OK(syncstore_query_new(store, "tasks", &query, &error));
    EXPECT_OK(syncstore_query_index(query, "by_due", &error));
    EXPECT_KEYS("bread milk cat tax ", query);
    EXPECT_OK(syncstore_query_to_text(query, "2027", 4, &error));
    EXPECT_OK(syncstore_query_limit(query, 2, &error));
    EXPECT_OK(syncstore_query_run(query, &first, &error));
    EXPECT(syncstore_rows_more(first) == 1 && syncstore_rows_is_complete(first) == 1);
    EXPECT(syncstore_rows_at(first, 1, &row) == 1);
    EXPECT(is(row.key, row.key_len, "milk") && is(row.order, row.order_len, "2026-11-23"));
    EXPECT(is(row.value, row.value_len, "\"2026-11-23\""));
    EXPECT(syncstore_rows_order_value(first, 1, &value, &text, &len) == 1);
    EXPECT(value.index_type == SYNCSTORE_INDEX_TEXT && is(text, len, "2026-11-23"));
    token = syncstore_rows_token(first, &len);
    EXPECT(token != NULL && len > 0);

    EXPECT_OK(syncstore_query_resume(query, token, len, &error));
    EXPECT_OK(syncstore_query_keys_only(query, 1, &error));
    syncstore_rows_free(first);
    EXPECT_OK(syncstore_query_run(query, &rest, &error));
    EXPECT(syncstore_rows_count(rest) == 1 && syncstore_rows_more(rest) == 0);
    EXPECT(syncstore_rows_token(rest, &len) == NULL && len == 0);
    EXPECT(syncstore_rows_at(rest, 0, &row) == 1);
    EXPECT(is(row.key, row.key_len, "cat") && row.value == NULL && row.value_len == 0);
    syncstore_rows_free(rest);

    /* A token of a query by index is none of one by key. */
    EXPECT_OK(syncstore_query_index(query, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_RESUME_TOKEN, "token", syncstore_query_run(query, &rest, &error));
    EXPECT_OK(syncstore_query_resume(query, NULL, 0, &error));
    EXPECT_OK(syncstore_query_to_text(query, NULL, 0, &error));
    EXPECT_KEYS("bread cat ", query);
    syncstore_query_free(query);
}

typedef struct seen {
    syncstore *store;
    size_t rows;
} seen;

/* It writes to the store that it reads of, and ends at the third row. */
static int32_t see(void *user_data, const syncstore_row *row)
{
    seen *so_far = user_data;
    syncstore_text json;
    char key[16];

    EXPECT(row->key_len < sizeof key);
    memcpy(key, row->key, row->key_len);
    key[row->key_len] = '\0';
    EXPECT_OK(syncstore_get(so_far->store, "tasks", key, &json, &error));
    EXPECT(is(row->value, row->value_len, json.data));
    syncstore_text_free(&json);
    EXPECT_OK(syncstore_delete(so_far->store, "tasks", key, NULL, &error));
    return ++so_far->rows == 3;
}

static int32_t close_within(void *user_data, const syncstore_row *row)
{
    seen *so_far = user_data;

    EXPECT(row->key_len > 0);
    so_far->rows++;
    EXPECT_OK(syncstore_close(so_far->store, NULL, &error));
    return 0;
}

static void be_handed_each_row(syncstore *store)
{
    seen so_far = {NULL, 0};
    syncstore_query *query;

    so_far.store = store;
    EXPECT_OK(syncstore_query_new(store, "tasks", &query, &error));
    EXPECT_OK(syncstore_query_for_each(query, see, &so_far, &error));
    EXPECT(so_far.rows == 3);
    EXPECT_KEYS("tax without ", query);

    EXPECT_OK(syncstore_query_limit(query, 1, &error));
    so_far.rows = 0;
    EXPECT_OK(syncstore_query_for_each(query, close_within, &so_far, &error));
    EXPECT(so_far.rows == 1);
    EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", syncstore_query_for_each(query, see, &so_far, &error));
    syncstore_query_free(query);
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("queries.db", NULL, &store, &error));
    write_tasks(store);
    list(store);
    query_by_key(store);
    query_by_index_page_by_page(store);
    be_handed_each_row(store);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
