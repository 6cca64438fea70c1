/* The local model with numbers that are none of those asked for, lengths that cannot be, and stores that are closed or freed. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)
#define CLOSED(call) EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", call)

static syncstore_error *error = NULL;

static const char BAD[] = "\xc3\x28";

static int32_t take_row(void *user_data, const syncstore_row *row)
{
    return user_data == NULL && row == NULL;
}

static void lists_and_queries(syncstore *store)
{
    syncstore_list_options options = SYNCSTORE_LIST_OPTIONS_INIT;
    syncstore_rows *rows;
    syncstore_query *query;

    options.struct_size = 3;
    MISUSE("struct_size", syncstore_list(store, "c", &options, &rows, &error));
    options.struct_size = sizeof options;
    options.reverse = 2;
    MISUSE("options.reverse", syncstore_list(store, "c", &options, &rows, &error));
    options.reverse = (int64_t)1 << 40;
    MISUSE("options.reverse", syncstore_list(store, "c", &options, &rows, &error));
    options.reverse = 0;
    options.prefix = BAD;
    MISUSE("options.prefix is not UTF-8", syncstore_list(store, "c", &options, &rows, &error));
    options.prefix = NULL;
    options.from = BAD;
    MISUSE("options.from is not UTF-8", syncstore_list(store, "c", &options, &rows, &error));
    options.from = NULL;
    options.to = BAD;
    MISUSE("options.to is not UTF-8", syncstore_list(store, "c", &options, &rows, &error));
    options.to = NULL;
    options.after = BAD;
    MISUSE("options.after is not UTF-8", syncstore_list(store, "c", &options, &rows, &error));
    EXPECT(rows == NULL);

    EXPECT_OK(syncstore_query_new(store, "c", &query, &error));
    MISUSE("reverse", syncstore_query_reverse(query, 2, &error));
    MISUSE("keys_only", syncstore_query_keys_only(query, -1, &error));
    MISUSE("rows is below -1", syncstore_query_limit(query, -2, &error));
    MISUSE("value", syncstore_query_from_bool(query, 2, &error));
    MISUSE("value", syncstore_query_to_bool(query, 2, &error));
    MISUSE("nanos", syncstore_query_from_instant(query, 0, 1000000000, &error));
    MISUSE("nanos", syncstore_query_to_instant(query, 0, 1000000000, &error));
    MISUSE("prefix is longer", syncstore_query_prefix(query, "x", (size_t)-1, &error));
    MISUSE("token is longer", syncstore_query_resume(query, "x", (size_t)-1, &error));
    /* Nothing of this was taken. */
    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    EXPECT(syncstore_rows_count(rows) == 1);
    EXPECT(syncstore_rows_next(rows, NULL) == 1 && syncstore_rows_at(rows, 0, NULL) == 1);
    EXPECT(syncstore_rows_at(rows, (size_t)-1, NULL) == 0);
    syncstore_rows_free(rows);
    syncstore_query_free(query);
}

static void others(syncstore *store)
{
    static const char *const FIELDS[] = {"/a", NULL};
    static const char *const NAMES[] = {BAD};
    syncstore_search_options options = SYNCSTORE_SEARCH_OPTIONS_INIT;
    syncstore_hits *hits;
    syncstore_walk *walk;
    syncstore_sql *sql;
    syncstore_filter *filter;

    EXPECT_OK(syncstore_walk_new(store, "c", "k", &walk, &error));
    MISUSE("values", syncstore_walk_values(walk, 2, &error));
    syncstore_walk_free(walk);

    MISUSE("dates", syncstore_declare_index(store, "c", "x", "/x", 2, NULL, &error));
    MISUSE("fields has a NULL in it", syncstore_declare_search(store, "x", "c", FIELDS, 2, NULL, &error));
    MISUSE("fields has more", syncstore_declare_search(store, "x", "c", FIELDS, (size_t)-1, NULL, &error));
    MISUSE("fields is not UTF-8", syncstore_declare_search(store, "x", "c", NAMES, 1, NULL, &error));
    MISUSE("mode", syncstore_search(store, "x", 0, "x", 1, NULL, &hits, &error));
    MISUSE("mode", syncstore_search(store, "x", 77, "x", 1, NULL, &hits, &error));
    options.struct_size = 1;
    MISUSE("struct_size", syncstore_search(store, "x", SYNCSTORE_SEARCH_WORDS, "x", 1, &options, &hits, &error));
    options.struct_size = sizeof options;
    options.mark_before = BAD;
    MISUSE("options.mark_before is not UTF-8",
           syncstore_search(store, "x", SYNCSTORE_SEARCH_WORDS, "x", 1, &options, &hits, &error));
    options.mark_before = NULL;
    options.mark_behind = BAD;
    MISUSE("options.mark_behind is not UTF-8",
           syncstore_search(store, "x", SYNCSTORE_SEARCH_WORDS, "x", 1, &options, &hits, &error));
    EXPECT(hits == NULL);

    EXPECT_OK(syncstore_sql_new(store, "SELECT 1", 8, &sql, &error));
    MISUSE("time_ms", syncstore_sql_limits(sql, 0, 0, -1, &error));
    MISUSE("value is longer", syncstore_sql_bind_text(sql, NULL, "x", (size_t)-1, &error));
    MISUSE("value is longer", syncstore_sql_bind_blob(sql, NULL, "x", (size_t)-1, &error));
    /* NULL is the next of those that have no name. */
    EXPECT_OK(syncstore_sql_bind_null(sql, NULL, &error));
    EXPECT_OK(syncstore_sql_bind_integer(sql, NULL, 1, &error));
    EXPECT_OK(syncstore_sql_bind_real(sql, NULL, 1, &error));
    syncstore_sql_free(sql);

    MISUSE("collections is not UTF-8", syncstore_filter_only(NAMES, 1, &filter, &error));
    EXPECT(filter == NULL);
    EXPECT_OK(syncstore_filter_from_text("c", &filter, &error));
    EXPECT(syncstore_filter_covers(filter, NULL) == 0);
    EXPECT(syncstore_filter_has(filter, NULL, "k") == 0 && syncstore_filter_has(filter, "c", BAD) == 0);
    syncstore_filter_free(filter);
}

/* What was made of a store that is closed now. */
static void on_children(syncstore_batch *batch, syncstore_query *query, syncstore_walk *walk, syncstore_sql *sql)
{
    syncstore_rows *rows;
    syncstore_related_items *found;
    syncstore_sql_rows *table;

    CLOSED(syncstore_batch_set(batch, "c", "k", "1", 1, &error));
    CLOSED(syncstore_batch_patch(batch, "c", "k", "[]", 2, &error));
    CLOSED(syncstore_batch_delete(batch, "c", "k", &error));
    CLOSED(syncstore_batch_set_index(batch, "c", "k", "x", "1", &error));
    CLOSED(syncstore_batch_delete_index(batch, "c", "k", "x", &error));
    CLOSED(syncstore_batch_set_relation(batch, "c", "k", "r", "in", "c", "k", &error));
    CLOSED(syncstore_batch_delete_relation(batch, "c", "k", "r", &error));
    CLOSED(syncstore_batch_add_tag(batch, "c", "k", "t", &error));
    CLOSED(syncstore_batch_remove_tag(batch, "c", "k", "t", &error));
    CLOSED(syncstore_batch_commit(batch, &error));
    CLOSED(syncstore_query_run(query, &rows, &error));
    CLOSED(syncstore_query_for_each(query, take_row, NULL, &error));
    CLOSED(syncstore_walk_run(walk, &found, &error));
    CLOSED(syncstore_sql_run(sql, &table, &error));
    EXPECT(rows == NULL && found == NULL && table == NULL);
}

static void on_store(syncstore *store, const syncstore_filter *filter)
{
    syncstore_batch *batch;
    syncstore_query *query;
    syncstore_rows *rows;
    syncstore_index_entries *entries;
    syncstore_relation_list *relations;
    syncstore_walk *walk;
    syncstore_names *names;
    syncstore_hits *hits;
    syncstore_sql *sql;
    syncstore_filter *keep, *here;
    syncstore_pending_ops *ops;
    syncstore_text report;
    static const char *const FIELDS[] = {"/a"};

    CLOSED(syncstore_batch_new(store, &batch, &error));
    CLOSED(syncstore_list(store, "c", NULL, &rows, &error));
    CLOSED(syncstore_query_new(store, "c", &query, &error));
    CLOSED(syncstore_set_index(store, "c", "k", "x", "1", NULL, &error));
    CLOSED(syncstore_delete_index(store, "c", "k", "x", NULL, &error));
    CLOSED(syncstore_indexes(store, "c", "k", &entries, &error));
    CLOSED(syncstore_set_relation(store, "c", "k", "r", "in", "c", "k", NULL, &error));
    CLOSED(syncstore_delete_relation(store, "c", "k", "r", NULL, &error));
    CLOSED(syncstore_relations(store, "c", "k", NULL, &relations, &error));
    CLOSED(syncstore_relations_to(store, "c", "k", NULL, &relations, &error));
    CLOSED(syncstore_walk_new(store, "c", "k", &walk, &error));
    CLOSED(syncstore_add_tag(store, "c", "k", "t", NULL, &error));
    CLOSED(syncstore_remove_tag(store, "c", "k", "t", NULL, &error));
    CLOSED(syncstore_tags(store, "c", "k", &names, &error));
    CLOSED(syncstore_declare_index(store, "c", "x", "/x", 0, NULL, &error));
    CLOSED(syncstore_drop_index(store, "c", "x", NULL, &error));
    CLOSED(syncstore_build_index(store, "c", "x", NULL, NULL, &error));
    CLOSED(syncstore_declare_search(store, "x", "c", FIELDS, 1, NULL, &error));
    CLOSED(syncstore_drop_search(store, "x", NULL, &error));
    CLOSED(syncstore_build_search(store, "x", NULL, NULL, &error));
    CLOSED(syncstore_search(store, "x", SYNCSTORE_SEARCH_WORDS, "x", 1, NULL, &hits, &error));
    CLOSED(syncstore_sql_new(store, "SELECT 1", 8, &sql, &error));
    CLOSED(syncstore_keep(store, filter, NULL, &error));
    CLOSED(syncstore_kept(store, &keep, &here, &error));
    CLOSED(syncstore_pending(store, &ops, &error));
    CLOSED(syncstore_check(store, NULL, &report, &error));
    CLOSED(syncstore_compact(store, NULL, NULL, &error));
}

static void after_closing(syncstore *store)
{
    syncstore_batch *batch, *committed;
    syncstore_query *query;
    syncstore_rows *rows;
    syncstore_row row;
    syncstore_walk *walk;
    syncstore_sql *sql;
    syncstore_sql_rows *table;
    syncstore_filter *filter;

    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_batch_set(batch, "c", "k", "2", 1, &error));
    EXPECT_OK(syncstore_batch_new(store, &committed, &error));
    EXPECT_OK(syncstore_batch_set(committed, "c", "other", "3", 1, &error));
    EXPECT_OK(syncstore_batch_commit(committed, &error));
    EXPECT_OK(syncstore_query_new(store, "c", &query, &error));
    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    EXPECT_OK(syncstore_walk_new(store, "c", "k", &walk, &error));
    EXPECT_OK(syncstore_walk_forwards(walk, "in", &error));
    EXPECT_OK(syncstore_sql_new(store, "SELECT 'x' AS a", 15, &sql, &error));
    EXPECT_OK(syncstore_sql_run(sql, &table, &error));
    EXPECT_OK(syncstore_filter_from_text("c", &filter, &error));
    EXPECT_OK(syncstore_close(store, NULL, &error));
    on_store(store, filter);
    on_children(batch, query, walk, sql);

    /* What they hold already can be read, also when the store is freed; and they are freed in any order. */
    syncstore_free(store);
    on_children(batch, query, walk, sql);
    syncstore_query_free(query);
    syncstore_sql_free(sql);
    EXPECT(syncstore_rows_count(rows) == 2 && syncstore_rows_at(rows, 0, &row) == 1);
    EXPECT(row.key_len == 1 && row.key[0] == 'k' && row.value_len == 1 && row.value[0] == '1');
    EXPECT(syncstore_batch_count(committed) == 1);
    EXPECT_TEXT("a", syncstore_sql_rows_column_name(table, 0));
    EXPECT(syncstore_sql_rows_column(table, "a") == 0 && syncstore_sql_rows_column(table, NULL) == -1);
    EXPECT(syncstore_sql_rows_column(table, BAD) == -1);
    EXPECT(syncstore_sql_rows_text(table, 0, 0, NULL) != NULL && syncstore_sql_rows_blob(table, 0, 0, NULL) == NULL);
    syncstore_rows_free(rows);
    syncstore_sql_rows_free(table);
    syncstore_walk_free(walk);
    syncstore_batch_free(batch);
    syncstore_batch_free(committed);
    syncstore_filter_free(filter);
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    EXPECT_OK(syncstore_set(store, "c", "k", "1", 1, NULL, &error));
    lists_and_queries(store);
    others(store);
    after_closing(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
