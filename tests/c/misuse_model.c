/* Every function of the local model with NULL for each of its pointers, and with bad UTF-8: each has a defined answer, nothing is done, and
 * nothing leaks. Wrong numbers and closed stores are in misuse_values.c. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)

static const char BAD[] = "\xc3\x28";

static syncstore_error *error = NULL;

static int32_t take_row(void *user_data, const syncstore_row *row)
{
    return user_data == NULL && row == NULL;
}

static int32_t go_on(void *user_data, uint64_t done, uint64_t total)
{
    return user_data == NULL && done > total;
}

static const char *const names[] = {"x"};

static void on_store(syncstore *store, const syncstore_filter *filter)
{
    uint64_t large = 0;
    syncstore_batch *no_batch = NULL;
    syncstore_filter *no_filter = NULL;
    syncstore_hits *no_hits = NULL;
    syncstore_index_entries *no_index_entries = NULL;
    syncstore_names *no_names = NULL;
    syncstore_pending_ops *no_pending_ops = NULL;
    syncstore_query *no_query = NULL;
    syncstore_relation_list *no_relation_list = NULL;
    syncstore_rows *no_rows = NULL;
    syncstore_sql *no_sql = NULL;
    syncstore_walk *no_walk = NULL;
    int32_t number = 0;
    syncstore_ref op;
    syncstore_text report;

    MISUSE("store is NULL", syncstore_batch_new(NULL, &no_batch, &error));
    MISUSE("batch is NULL", syncstore_batch_new(store, NULL, &error));
    MISUSE("store is NULL", syncstore_list(NULL, "c", NULL, &no_rows, &error));
    MISUSE("collection is NULL", syncstore_list(store, NULL, NULL, &no_rows, &error));
    MISUSE("collection is not UTF-8", syncstore_list(store, BAD, NULL, &no_rows, &error));
    MISUSE("rows is NULL", syncstore_list(store, "c", NULL, NULL, &error));
    MISUSE("store is NULL", syncstore_query_new(NULL, "c", &no_query, &error));
    MISUSE("collection is NULL", syncstore_query_new(store, NULL, &no_query, &error));
    MISUSE("collection is not UTF-8", syncstore_query_new(store, BAD, &no_query, &error));
    MISUSE("query is NULL", syncstore_query_new(store, "c", NULL, &error));
    MISUSE("store is NULL", syncstore_set_index(NULL, "c", "k", "x", "x", &op, &error));
    MISUSE("collection is NULL", syncstore_set_index(store, NULL, "k", "x", "x", &op, &error));
    MISUSE("collection is not UTF-8", syncstore_set_index(store, BAD, "k", "x", "x", &op, &error));
    MISUSE("key is NULL", syncstore_set_index(store, "c", NULL, "x", "x", &op, &error));
    MISUSE("key is not UTF-8", syncstore_set_index(store, "c", BAD, "x", "x", &op, &error));
    MISUSE("name is NULL", syncstore_set_index(store, "c", "k", NULL, "x", &op, &error));
    MISUSE("name is not UTF-8", syncstore_set_index(store, "c", "k", BAD, "x", &op, &error));
    MISUSE("order is NULL", syncstore_set_index(store, "c", "k", "x", NULL, &op, &error));
    MISUSE("order is not UTF-8", syncstore_set_index(store, "c", "k", "x", BAD, &op, &error));
    MISUSE("store is NULL", syncstore_delete_index(NULL, "c", "k", "x", &op, &error));
    MISUSE("collection is NULL", syncstore_delete_index(store, NULL, "k", "x", &op, &error));
    MISUSE("collection is not UTF-8", syncstore_delete_index(store, BAD, "k", "x", &op, &error));
    MISUSE("key is NULL", syncstore_delete_index(store, "c", NULL, "x", &op, &error));
    MISUSE("key is not UTF-8", syncstore_delete_index(store, "c", BAD, "x", &op, &error));
    MISUSE("name is NULL", syncstore_delete_index(store, "c", "k", NULL, &op, &error));
    MISUSE("name is not UTF-8", syncstore_delete_index(store, "c", "k", BAD, &op, &error));
    MISUSE("store is NULL", syncstore_indexes(NULL, "c", "k", &no_index_entries, &error));
    MISUSE("collection is NULL", syncstore_indexes(store, NULL, "k", &no_index_entries, &error));
    MISUSE("collection is not UTF-8", syncstore_indexes(store, BAD, "k", &no_index_entries, &error));
    MISUSE("key is NULL", syncstore_indexes(store, "c", NULL, &no_index_entries, &error));
    MISUSE("key is not UTF-8", syncstore_indexes(store, "c", BAD, &no_index_entries, &error));
    MISUSE("entries is NULL", syncstore_indexes(store, "c", "k", NULL, &error));
    MISUSE("store is NULL", syncstore_set_relation(NULL, "c", "k", "x", "x", "x", "x", &op, &error));
    MISUSE("collection is NULL", syncstore_set_relation(store, NULL, "k", "x", "x", "x", "x", &op, &error));
    MISUSE("collection is not UTF-8", syncstore_set_relation(store, BAD, "k", "x", "x", "x", "x", &op, &error));
    MISUSE("key is NULL", syncstore_set_relation(store, "c", NULL, "x", "x", "x", "x", &op, &error));
    MISUSE("key is not UTF-8", syncstore_set_relation(store, "c", BAD, "x", "x", "x", "x", &op, &error));
    MISUSE("id is NULL", syncstore_set_relation(store, "c", "k", NULL, "x", "x", "x", &op, &error));
    MISUSE("id is not UTF-8", syncstore_set_relation(store, "c", "k", BAD, "x", "x", "x", &op, &error));
    MISUSE("predicate is NULL", syncstore_set_relation(store, "c", "k", "x", NULL, "x", "x", &op, &error));
    MISUSE("predicate is not UTF-8", syncstore_set_relation(store, "c", "k", "x", BAD, "x", "x", &op, &error));
    MISUSE("object_collection is NULL", syncstore_set_relation(store, "c", "k", "x", "x", NULL, "x", &op, &error));
    MISUSE("object_collection is not UTF-8", syncstore_set_relation(store, "c", "k", "x", "x", BAD, "x", &op, &error));
    MISUSE("object_key is NULL", syncstore_set_relation(store, "c", "k", "x", "x", "x", NULL, &op, &error));
    MISUSE("object_key is not UTF-8", syncstore_set_relation(store, "c", "k", "x", "x", "x", BAD, &op, &error));
    MISUSE("store is NULL", syncstore_delete_relation(NULL, "c", "k", "x", &op, &error));
    MISUSE("collection is NULL", syncstore_delete_relation(store, NULL, "k", "x", &op, &error));
    MISUSE("collection is not UTF-8", syncstore_delete_relation(store, BAD, "k", "x", &op, &error));
    MISUSE("key is NULL", syncstore_delete_relation(store, "c", NULL, "x", &op, &error));
    MISUSE("key is not UTF-8", syncstore_delete_relation(store, "c", BAD, "x", &op, &error));
    MISUSE("id is NULL", syncstore_delete_relation(store, "c", "k", NULL, &op, &error));
    MISUSE("id is not UTF-8", syncstore_delete_relation(store, "c", "k", BAD, &op, &error));
    MISUSE("store is NULL", syncstore_relations(NULL, "c", "k", "x", &no_relation_list, &error));
    MISUSE("collection is NULL", syncstore_relations(store, NULL, "k", "x", &no_relation_list, &error));
    MISUSE("collection is not UTF-8", syncstore_relations(store, BAD, "k", "x", &no_relation_list, &error));
    MISUSE("key is NULL", syncstore_relations(store, "c", NULL, "x", &no_relation_list, &error));
    MISUSE("key is not UTF-8", syncstore_relations(store, "c", BAD, "x", &no_relation_list, &error));
    MISUSE("predicate is not UTF-8", syncstore_relations(store, "c", "k", BAD, &no_relation_list, &error));
    MISUSE("relations is NULL", syncstore_relations(store, "c", "k", "x", NULL, &error));
    MISUSE("store is NULL", syncstore_relations_to(NULL, "c", "k", "x", &no_relation_list, &error));
    MISUSE("collection is NULL", syncstore_relations_to(store, NULL, "k", "x", &no_relation_list, &error));
    MISUSE("collection is not UTF-8", syncstore_relations_to(store, BAD, "k", "x", &no_relation_list, &error));
    MISUSE("key is NULL", syncstore_relations_to(store, "c", NULL, "x", &no_relation_list, &error));
    MISUSE("key is not UTF-8", syncstore_relations_to(store, "c", BAD, "x", &no_relation_list, &error));
    MISUSE("predicate is not UTF-8", syncstore_relations_to(store, "c", "k", BAD, &no_relation_list, &error));
    MISUSE("relations is NULL", syncstore_relations_to(store, "c", "k", "x", NULL, &error));
    MISUSE("store is NULL", syncstore_walk_new(NULL, "c", "k", &no_walk, &error));
    MISUSE("collection is NULL", syncstore_walk_new(store, NULL, "k", &no_walk, &error));
    MISUSE("collection is not UTF-8", syncstore_walk_new(store, BAD, "k", &no_walk, &error));
    MISUSE("key is NULL", syncstore_walk_new(store, "c", NULL, &no_walk, &error));
    MISUSE("key is not UTF-8", syncstore_walk_new(store, "c", BAD, &no_walk, &error));
    MISUSE("walk is NULL", syncstore_walk_new(store, "c", "k", NULL, &error));
    MISUSE("store is NULL", syncstore_add_tag(NULL, "c", "k", "x", &op, &error));
    MISUSE("collection is NULL", syncstore_add_tag(store, NULL, "k", "x", &op, &error));
    MISUSE("collection is not UTF-8", syncstore_add_tag(store, BAD, "k", "x", &op, &error));
    MISUSE("key is NULL", syncstore_add_tag(store, "c", NULL, "x", &op, &error));
    MISUSE("key is not UTF-8", syncstore_add_tag(store, "c", BAD, "x", &op, &error));
    MISUSE("tag is NULL", syncstore_add_tag(store, "c", "k", NULL, &op, &error));
    MISUSE("tag is not UTF-8", syncstore_add_tag(store, "c", "k", BAD, &op, &error));
    MISUSE("store is NULL", syncstore_remove_tag(NULL, "c", "k", "x", &op, &error));
    MISUSE("collection is NULL", syncstore_remove_tag(store, NULL, "k", "x", &op, &error));
    MISUSE("collection is not UTF-8", syncstore_remove_tag(store, BAD, "k", "x", &op, &error));
    MISUSE("key is NULL", syncstore_remove_tag(store, "c", NULL, "x", &op, &error));
    MISUSE("key is not UTF-8", syncstore_remove_tag(store, "c", BAD, "x", &op, &error));
    MISUSE("tag is NULL", syncstore_remove_tag(store, "c", "k", NULL, &op, &error));
    MISUSE("tag is not UTF-8", syncstore_remove_tag(store, "c", "k", BAD, &op, &error));
    MISUSE("store is NULL", syncstore_tags(NULL, "c", "k", &no_names, &error));
    MISUSE("collection is NULL", syncstore_tags(store, NULL, "k", &no_names, &error));
    MISUSE("collection is not UTF-8", syncstore_tags(store, BAD, "k", &no_names, &error));
    MISUSE("key is NULL", syncstore_tags(store, "c", NULL, &no_names, &error));
    MISUSE("key is not UTF-8", syncstore_tags(store, "c", BAD, &no_names, &error));
    MISUSE("tags is NULL", syncstore_tags(store, "c", "k", NULL, &error));
    MISUSE("store is NULL", syncstore_declare_index(NULL, "c", "x", "x", 1, &number, &error));
    MISUSE("collection is NULL", syncstore_declare_index(store, NULL, "x", "x", 1, &number, &error));
    MISUSE("collection is not UTF-8", syncstore_declare_index(store, BAD, "x", "x", 1, &number, &error));
    MISUSE("name is NULL", syncstore_declare_index(store, "c", NULL, "x", 1, &number, &error));
    MISUSE("name is not UTF-8", syncstore_declare_index(store, "c", BAD, "x", 1, &number, &error));
    MISUSE("pointer is NULL", syncstore_declare_index(store, "c", "x", NULL, 1, &number, &error));
    MISUSE("pointer is not UTF-8", syncstore_declare_index(store, "c", "x", BAD, 1, &number, &error));
    MISUSE("store is NULL", syncstore_drop_index(NULL, "c", "x", &number, &error));
    MISUSE("collection is NULL", syncstore_drop_index(store, NULL, "x", &number, &error));
    MISUSE("collection is not UTF-8", syncstore_drop_index(store, BAD, "x", &number, &error));
    MISUSE("name is NULL", syncstore_drop_index(store, "c", NULL, &number, &error));
    MISUSE("name is not UTF-8", syncstore_drop_index(store, "c", BAD, &number, &error));
    MISUSE("store is NULL", syncstore_build_index(NULL, "c", "x", go_on, NULL, &error));
    MISUSE("collection is NULL", syncstore_build_index(store, NULL, "x", go_on, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_build_index(store, BAD, "x", go_on, NULL, &error));
    MISUSE("name is NULL", syncstore_build_index(store, "c", NULL, go_on, NULL, &error));
    MISUSE("name is not UTF-8", syncstore_build_index(store, "c", BAD, go_on, NULL, &error));
    MISUSE("store is NULL", syncstore_declare_search(NULL, "x", "c", names, 1, &number, &error));
    MISUSE("name is NULL", syncstore_declare_search(store, NULL, "c", names, 1, &number, &error));
    MISUSE("name is not UTF-8", syncstore_declare_search(store, BAD, "c", names, 1, &number, &error));
    MISUSE("collection is NULL", syncstore_declare_search(store, "x", NULL, names, 1, &number, &error));
    MISUSE("collection is not UTF-8", syncstore_declare_search(store, "x", BAD, names, 1, &number, &error));
    MISUSE("fields is NULL", syncstore_declare_search(store, "x", "c", NULL, 1, &number, &error));
    MISUSE("store is NULL", syncstore_drop_search(NULL, "x", &number, &error));
    MISUSE("name is NULL", syncstore_drop_search(store, NULL, &number, &error));
    MISUSE("name is not UTF-8", syncstore_drop_search(store, BAD, &number, &error));
    MISUSE("store is NULL", syncstore_build_search(NULL, "x", go_on, NULL, &error));
    MISUSE("name is NULL", syncstore_build_search(store, NULL, go_on, NULL, &error));
    MISUSE("name is not UTF-8", syncstore_build_search(store, BAD, go_on, NULL, &error));
    MISUSE("store is NULL", syncstore_search(NULL, "x", 1, "[]", 2, NULL, &no_hits, &error));
    MISUSE("name is NULL", syncstore_search(store, NULL, 1, "[]", 2, NULL, &no_hits, &error));
    MISUSE("name is not UTF-8", syncstore_search(store, BAD, 1, "[]", 2, NULL, &no_hits, &error));
    MISUSE("text is NULL", syncstore_search(store, "x", 1, NULL, 2, NULL, &no_hits, &error));
    MISUSE("text is not UTF-8", syncstore_search(store, "x", 1, BAD, 2, NULL, &no_hits, &error));
    MISUSE("hits is NULL", syncstore_search(store, "x", 1, "[]", 2, NULL, NULL, &error));
    MISUSE("store is NULL", syncstore_sql_new(NULL, "[]", 2, &no_sql, &error));
    MISUSE("select is NULL", syncstore_sql_new(store, NULL, 2, &no_sql, &error));
    MISUSE("select is not UTF-8", syncstore_sql_new(store, BAD, 2, &no_sql, &error));
    MISUSE("sql is NULL", syncstore_sql_new(store, "[]", 2, NULL, &error));
    MISUSE("store is NULL", syncstore_keep(NULL, filter, &number, &error));
    MISUSE("filter is NULL", syncstore_keep(store, NULL, &number, &error));
    MISUSE("store is NULL", syncstore_kept(NULL, &no_filter, &no_filter, &error));
    MISUSE("keep is NULL", syncstore_kept(store, NULL, &no_filter, &error));
    MISUSE("here is NULL", syncstore_kept(store, &no_filter, NULL, &error));
    MISUSE("store is NULL", syncstore_pending(NULL, &no_pending_ops, &error));
    MISUSE("ops is NULL", syncstore_pending(store, NULL, &error));
    MISUSE("store is NULL", syncstore_check(NULL, &number, &report, &error));
    MISUSE("report is NULL", syncstore_check(store, &number, NULL, &error));
    MISUSE("store is NULL", syncstore_compact(NULL, &large, &large, &error));
}

static void on_batch(syncstore_batch *batch)
{
    syncstore_ref op;

    MISUSE("batch is NULL", syncstore_batch_set(NULL, "c", "k", "[]", 2, &error));
    MISUSE("collection is NULL", syncstore_batch_set(batch, NULL, "k", "[]", 2, &error));
    MISUSE("collection is not UTF-8", syncstore_batch_set(batch, BAD, "k", "[]", 2, &error));
    MISUSE("key is NULL", syncstore_batch_set(batch, "c", NULL, "[]", 2, &error));
    MISUSE("key is not UTF-8", syncstore_batch_set(batch, "c", BAD, "[]", 2, &error));
    MISUSE("json is NULL", syncstore_batch_set(batch, "c", "k", NULL, 2, &error));
    MISUSE("json is not UTF-8", syncstore_batch_set(batch, "c", "k", BAD, 2, &error));
    MISUSE("batch is NULL", syncstore_batch_patch(NULL, "c", "k", "[]", 2, &error));
    MISUSE("collection is NULL", syncstore_batch_patch(batch, NULL, "k", "[]", 2, &error));
    MISUSE("collection is not UTF-8", syncstore_batch_patch(batch, BAD, "k", "[]", 2, &error));
    MISUSE("key is NULL", syncstore_batch_patch(batch, "c", NULL, "[]", 2, &error));
    MISUSE("key is not UTF-8", syncstore_batch_patch(batch, "c", BAD, "[]", 2, &error));
    MISUSE("patch is NULL", syncstore_batch_patch(batch, "c", "k", NULL, 2, &error));
    MISUSE("patch is not UTF-8", syncstore_batch_patch(batch, "c", "k", BAD, 2, &error));
    MISUSE("batch is NULL", syncstore_batch_delete(NULL, "c", "k", &error));
    MISUSE("collection is NULL", syncstore_batch_delete(batch, NULL, "k", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_delete(batch, BAD, "k", &error));
    MISUSE("key is NULL", syncstore_batch_delete(batch, "c", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_batch_delete(batch, "c", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_set_index(NULL, "c", "k", "x", "x", &error));
    MISUSE("collection is NULL", syncstore_batch_set_index(batch, NULL, "k", "x", "x", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_set_index(batch, BAD, "k", "x", "x", &error));
    MISUSE("key is NULL", syncstore_batch_set_index(batch, "c", NULL, "x", "x", &error));
    MISUSE("key is not UTF-8", syncstore_batch_set_index(batch, "c", BAD, "x", "x", &error));
    MISUSE("name is NULL", syncstore_batch_set_index(batch, "c", "k", NULL, "x", &error));
    MISUSE("name is not UTF-8", syncstore_batch_set_index(batch, "c", "k", BAD, "x", &error));
    MISUSE("order is NULL", syncstore_batch_set_index(batch, "c", "k", "x", NULL, &error));
    MISUSE("order is not UTF-8", syncstore_batch_set_index(batch, "c", "k", "x", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_delete_index(NULL, "c", "k", "x", &error));
    MISUSE("collection is NULL", syncstore_batch_delete_index(batch, NULL, "k", "x", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_delete_index(batch, BAD, "k", "x", &error));
    MISUSE("key is NULL", syncstore_batch_delete_index(batch, "c", NULL, "x", &error));
    MISUSE("key is not UTF-8", syncstore_batch_delete_index(batch, "c", BAD, "x", &error));
    MISUSE("name is NULL", syncstore_batch_delete_index(batch, "c", "k", NULL, &error));
    MISUSE("name is not UTF-8", syncstore_batch_delete_index(batch, "c", "k", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_set_relation(NULL, "c", "k", "x", "x", "x", "x", &error));
    MISUSE("collection is NULL", syncstore_batch_set_relation(batch, NULL, "k", "x", "x", "x", "x", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_set_relation(batch, BAD, "k", "x", "x", "x", "x", &error));
    MISUSE("key is NULL", syncstore_batch_set_relation(batch, "c", NULL, "x", "x", "x", "x", &error));
    MISUSE("key is not UTF-8", syncstore_batch_set_relation(batch, "c", BAD, "x", "x", "x", "x", &error));
    MISUSE("id is NULL", syncstore_batch_set_relation(batch, "c", "k", NULL, "x", "x", "x", &error));
    MISUSE("id is not UTF-8", syncstore_batch_set_relation(batch, "c", "k", BAD, "x", "x", "x", &error));
    MISUSE("predicate is NULL", syncstore_batch_set_relation(batch, "c", "k", "x", NULL, "x", "x", &error));
    MISUSE("predicate is not UTF-8", syncstore_batch_set_relation(batch, "c", "k", "x", BAD, "x", "x", &error));
    MISUSE("object_collection is NULL", syncstore_batch_set_relation(batch, "c", "k", "x", "x", NULL, "x", &error));
    MISUSE("object_collection is not UTF-8", syncstore_batch_set_relation(batch, "c", "k", "x", "x", BAD, "x", &error));
    MISUSE("object_key is NULL", syncstore_batch_set_relation(batch, "c", "k", "x", "x", "x", NULL, &error));
    MISUSE("object_key is not UTF-8", syncstore_batch_set_relation(batch, "c", "k", "x", "x", "x", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_delete_relation(NULL, "c", "k", "x", &error));
    MISUSE("collection is NULL", syncstore_batch_delete_relation(batch, NULL, "k", "x", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_delete_relation(batch, BAD, "k", "x", &error));
    MISUSE("key is NULL", syncstore_batch_delete_relation(batch, "c", NULL, "x", &error));
    MISUSE("key is not UTF-8", syncstore_batch_delete_relation(batch, "c", BAD, "x", &error));
    MISUSE("id is NULL", syncstore_batch_delete_relation(batch, "c", "k", NULL, &error));
    MISUSE("id is not UTF-8", syncstore_batch_delete_relation(batch, "c", "k", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_add_tag(NULL, "c", "k", "x", &error));
    MISUSE("collection is NULL", syncstore_batch_add_tag(batch, NULL, "k", "x", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_add_tag(batch, BAD, "k", "x", &error));
    MISUSE("key is NULL", syncstore_batch_add_tag(batch, "c", NULL, "x", &error));
    MISUSE("key is not UTF-8", syncstore_batch_add_tag(batch, "c", BAD, "x", &error));
    MISUSE("tag is NULL", syncstore_batch_add_tag(batch, "c", "k", NULL, &error));
    MISUSE("tag is not UTF-8", syncstore_batch_add_tag(batch, "c", "k", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_remove_tag(NULL, "c", "k", "x", &error));
    MISUSE("collection is NULL", syncstore_batch_remove_tag(batch, NULL, "k", "x", &error));
    MISUSE("collection is not UTF-8", syncstore_batch_remove_tag(batch, BAD, "k", "x", &error));
    MISUSE("key is NULL", syncstore_batch_remove_tag(batch, "c", NULL, "x", &error));
    MISUSE("key is not UTF-8", syncstore_batch_remove_tag(batch, "c", BAD, "x", &error));
    MISUSE("tag is NULL", syncstore_batch_remove_tag(batch, "c", "k", NULL, &error));
    MISUSE("tag is not UTF-8", syncstore_batch_remove_tag(batch, "c", "k", BAD, &error));
    MISUSE("batch is NULL", syncstore_batch_commit(NULL, &error));
    EXPECT(syncstore_batch_id(NULL, &op) == 0 && syncstore_batch_id(NULL, NULL) == 0);
    EXPECT(syncstore_batch_count(NULL) == 0);
    EXPECT(syncstore_batch_op(NULL, 0, &op) == 0 && syncstore_batch_op(NULL, 0, NULL) == 0);
    syncstore_batch_free(NULL);
}

static void on_rows(void)
{
    syncstore_index_value a_index_value;
    syncstore_row a_row;
    size_t size = 0;
    const char *text = NULL;

    EXPECT(syncstore_rows_count(NULL) == 0);
    EXPECT(syncstore_rows_next(NULL, &a_row) == 0);
    EXPECT(syncstore_rows_at(NULL, 0, &a_row) == 0);
    EXPECT(syncstore_rows_order_value(NULL, 0, &a_index_value, &text, &size) == 0);
    EXPECT(syncstore_rows_order_value(NULL, 0, NULL, NULL, NULL) == 0);
    EXPECT(syncstore_rows_more(NULL) == 0);
    EXPECT(syncstore_rows_token(NULL, &size) == NULL && syncstore_rows_token(NULL, NULL) == NULL);
    EXPECT(syncstore_rows_is_complete(NULL) == 0);
    syncstore_rows_free(NULL);
}

static void on_query(syncstore_query *query)
{
    syncstore_rows *no_rows = NULL;

    MISUSE("query is NULL", syncstore_query_index(NULL, "x", &error));
    MISUSE("name is not UTF-8", syncstore_query_index(query, BAD, &error));
    EXPECT_OK(syncstore_query_index(query, NULL, &error));
    MISUSE("query is NULL", syncstore_query_prefix(NULL, "[]", 2, &error));
    MISUSE("prefix is NULL", syncstore_query_prefix(query, NULL, 2, &error));
    MISUSE("prefix is not UTF-8", syncstore_query_prefix(query, BAD, 2, &error));
    MISUSE("query is NULL", syncstore_query_reverse(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_limit(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_resume(NULL, "[]", 2, &error));
    MISUSE("token is NULL", syncstore_query_resume(query, NULL, 2, &error));
    MISUSE("token is not UTF-8", syncstore_query_resume(query, BAD, 2, &error));
    MISUSE("query is NULL", syncstore_query_keys_only(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_run(NULL, &no_rows, &error));
    MISUSE("rows is NULL", syncstore_query_run(query, NULL, &error));
    MISUSE("query is NULL", syncstore_query_for_each(NULL, take_row, NULL, &error));
    MISUSE("callback is NULL", syncstore_query_for_each(query, NULL, NULL, &error));
    MISUSE("query is NULL", syncstore_query_from_text(NULL, "[]", 2, &error));
    MISUSE("text is NULL", syncstore_query_from_text(query, NULL, 2, &error));
    MISUSE("text is not UTF-8", syncstore_query_from_text(query, BAD, 2, &error));
    MISUSE("query is NULL", syncstore_query_from_integer(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_from_unsigned(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_from_real(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_from_bool(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_from_instant(NULL, 1, 1, &error));
    MISUSE("query is NULL", syncstore_query_to_text(NULL, "[]", 2, &error));
    MISUSE("text is NULL", syncstore_query_to_text(query, NULL, 2, &error));
    MISUSE("text is not UTF-8", syncstore_query_to_text(query, BAD, 2, &error));
    MISUSE("query is NULL", syncstore_query_to_integer(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_to_unsigned(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_to_real(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_to_bool(NULL, 1, &error));
    MISUSE("query is NULL", syncstore_query_to_instant(NULL, 1, 1, &error));
    syncstore_query_free(NULL);
}

static void on_index_entries(void)
{
    EXPECT(syncstore_index_entries_count(NULL) == 0);
    EXPECT(syncstore_index_entries_name(NULL, 0) == NULL);
    EXPECT(syncstore_index_entries_order(NULL, 0) == NULL);
    syncstore_index_entries_free(NULL);
}

static void on_relation_list(void)
{
    EXPECT(syncstore_relation_list_count(NULL) == 0);
    EXPECT(syncstore_relation_list_id(NULL, 0) == NULL);
    EXPECT(syncstore_relation_list_predicate(NULL, 0) == NULL);
    EXPECT(syncstore_relation_list_collection(NULL, 0) == NULL);
    EXPECT(syncstore_relation_list_key(NULL, 0) == NULL);
    syncstore_relation_list_free(NULL);
}

static void on_walk(syncstore_walk *walk)
{
    syncstore_related_items *no_related_items = NULL;

    MISUSE("walk is NULL", syncstore_walk_forwards(NULL, "x", &error));
    MISUSE("predicate is NULL", syncstore_walk_forwards(walk, NULL, &error));
    MISUSE("predicate is not UTF-8", syncstore_walk_forwards(walk, BAD, &error));
    MISUSE("walk is NULL", syncstore_walk_backwards(NULL, "x", &error));
    MISUSE("predicate is NULL", syncstore_walk_backwards(walk, NULL, &error));
    MISUSE("predicate is not UTF-8", syncstore_walk_backwards(walk, BAD, &error));
    MISUSE("walk is NULL", syncstore_walk_depth(NULL, 0, &error));
    MISUSE("walk is NULL", syncstore_walk_limit(NULL, 0, &error));
    MISUSE("walk is NULL", syncstore_walk_values(NULL, 1, &error));
    MISUSE("walk is NULL", syncstore_walk_run(NULL, &no_related_items, &error));
    MISUSE("found is NULL", syncstore_walk_run(walk, NULL, &error));
    syncstore_walk_free(NULL);
}

static void on_related_items(void)
{
    size_t size = 0;

    EXPECT(syncstore_related_items_count(NULL) == 0);
    EXPECT(syncstore_related_items_collection(NULL, 0) == NULL);
    EXPECT(syncstore_related_items_key(NULL, 0) == NULL);
    EXPECT(syncstore_related_items_depth(NULL, 0) == 0);
    EXPECT(syncstore_related_items_value(NULL, 0, &size) == NULL && syncstore_related_items_value(NULL, 0, NULL) == NULL);
    EXPECT(syncstore_related_items_more(NULL) == 0);
    syncstore_related_items_free(NULL);
}

static void on_hits(void)
{
    size_t size = 0;

    EXPECT(syncstore_hits_count(NULL) == 0);
    EXPECT(syncstore_hits_key(NULL, 0) == NULL);
    EXPECT(syncstore_hits_rank(NULL, 0) == 0);
    EXPECT(syncstore_hits_snippet(NULL, 0, &size) == NULL && syncstore_hits_snippet(NULL, 0, NULL) == NULL);
    EXPECT(syncstore_hits_is_complete(NULL) == 0);
    syncstore_hits_free(NULL);
}

static void on_sql(syncstore_sql *sql)
{
    syncstore_sql_rows *no_sql_rows = NULL;

    MISUSE("sql is NULL", syncstore_sql_bind_null(NULL, "x", &error));
    MISUSE("name is not UTF-8", syncstore_sql_bind_null(sql, BAD, &error));
    MISUSE("sql is NULL", syncstore_sql_bind_integer(NULL, "x", 1, &error));
    MISUSE("name is not UTF-8", syncstore_sql_bind_integer(sql, BAD, 1, &error));
    MISUSE("sql is NULL", syncstore_sql_bind_real(NULL, "x", 1, &error));
    MISUSE("name is not UTF-8", syncstore_sql_bind_real(sql, BAD, 1, &error));
    MISUSE("sql is NULL", syncstore_sql_bind_text(NULL, "x", "[]", 2, &error));
    MISUSE("name is not UTF-8", syncstore_sql_bind_text(sql, BAD, "[]", 2, &error));
    MISUSE("value is NULL", syncstore_sql_bind_text(sql, "x", NULL, 2, &error));
    MISUSE("value is not UTF-8", syncstore_sql_bind_text(sql, "x", BAD, 2, &error));
    MISUSE("sql is NULL", syncstore_sql_bind_blob(NULL, "x", "x", 2, &error));
    MISUSE("name is not UTF-8", syncstore_sql_bind_blob(sql, BAD, "x", 2, &error));
    MISUSE("value is NULL", syncstore_sql_bind_blob(sql, "x", NULL, 2, &error));
    MISUSE("sql is NULL", syncstore_sql_unbind(NULL, &error));
    MISUSE("sql is NULL", syncstore_sql_limits(NULL, 1, 1, 1, &error));
    MISUSE("sql is NULL", syncstore_sql_run(NULL, &no_sql_rows, &error));
    MISUSE("rows is NULL", syncstore_sql_run(sql, NULL, &error));
    syncstore_sql_free(NULL);
}

static void on_sql_rows(void)
{
    size_t size = 0;

    EXPECT(syncstore_sql_rows_count(NULL) == 0);
    EXPECT(syncstore_sql_rows_columns(NULL) == 0);
    EXPECT(syncstore_sql_rows_column_name(NULL, 0) == NULL);
    EXPECT(syncstore_sql_rows_column(NULL, "x") == -1);
    EXPECT(syncstore_sql_rows_type(NULL, 0, 0) == 0);
    EXPECT(syncstore_sql_rows_integer(NULL, 0, 0) == 0);
    EXPECT(syncstore_sql_rows_real(NULL, 0, 0) == 0);
    EXPECT(syncstore_sql_rows_text(NULL, 0, 0, &size) == NULL && syncstore_sql_rows_text(NULL, 0, 0, NULL) == NULL);
    EXPECT(syncstore_sql_rows_blob(NULL, 0, 0, &size) == NULL && syncstore_sql_rows_blob(NULL, 0, 0, NULL) == NULL);
    syncstore_sql_rows_free(NULL);
}

static void on_none(void)
{
    syncstore_filter *no_filter = NULL;

    MISUSE("filter is NULL", syncstore_filter_everything(NULL, &error));
    MISUSE("collections is NULL", syncstore_filter_only(NULL, 1, &no_filter, &error));
    MISUSE("filter is NULL", syncstore_filter_only(names, 1, NULL, &error));
    MISUSE("text is NULL", syncstore_filter_from_text(NULL, &no_filter, &error));
    MISUSE("text is not UTF-8", syncstore_filter_from_text(BAD, &no_filter, &error));
    MISUSE("filter is NULL", syncstore_filter_from_text("x", NULL, &error));
}

static void on_filter(syncstore_filter *filter)
{
    syncstore_filter *no_filter = NULL;
    syncstore_names *no_names = NULL;
    syncstore_text report;

    MISUSE("filter is NULL", syncstore_filter_and_prefix(NULL, "c", "x", &error));
    MISUSE("collection is NULL", syncstore_filter_and_prefix(filter, NULL, "x", &error));
    MISUSE("collection is not UTF-8", syncstore_filter_and_prefix(filter, BAD, "x", &error));
    MISUSE("prefix is NULL", syncstore_filter_and_prefix(filter, "c", NULL, &error));
    MISUSE("prefix is not UTF-8", syncstore_filter_and_prefix(filter, "c", BAD, &error));
    MISUSE("filter is NULL", syncstore_filter_and(NULL, filter, &no_filter, &error));
    MISUSE("other is NULL", syncstore_filter_and(filter, NULL, &no_filter, &error));
    MISUSE("both is NULL", syncstore_filter_and(filter, filter, NULL, &error));
    MISUSE("filter is NULL", syncstore_filter_to_text(NULL, &report, &error));
    MISUSE("text is NULL", syncstore_filter_to_text(filter, NULL, &error));
    MISUSE("filter is NULL", syncstore_filter_collections(NULL, &no_names, &error));
    MISUSE("collections is NULL", syncstore_filter_collections(filter, NULL, &error));
    MISUSE("filter is NULL", syncstore_filter_prefixes(NULL, "c", &no_names, &error));
    MISUSE("collection is NULL", syncstore_filter_prefixes(filter, NULL, &no_names, &error));
    MISUSE("collection is not UTF-8", syncstore_filter_prefixes(filter, BAD, &no_names, &error));
    MISUSE("prefixes is NULL", syncstore_filter_prefixes(filter, "c", NULL, &error));
    EXPECT(syncstore_filter_covers(NULL, filter) == 0);
    EXPECT(syncstore_filter_is_everything(NULL) == 0);
    EXPECT(syncstore_filter_has(NULL, "c", "k") == 0);
    EXPECT(syncstore_filter_has(filter, NULL, "k") == 0 && syncstore_filter_has(filter, BAD, "k") == 0);
    EXPECT(syncstore_filter_has(filter, "c", NULL) == 0 && syncstore_filter_has(filter, "c", BAD) == 0);
    syncstore_filter_free(NULL);
}

static void on_pending_ops(void)
{
    uint64_t large = 0;
    syncstore_ref op;
    size_t size = 0;

    EXPECT(syncstore_pending_ops_count(NULL) == 0);
    EXPECT(syncstore_pending_ops_ref(NULL, 0, &op) == 0 && syncstore_pending_ops_ref(NULL, 0, NULL) == 0);
    EXPECT(syncstore_pending_ops_collection(NULL, 0) == NULL);
    EXPECT(syncstore_pending_ops_key(NULL, 0) == NULL);
    EXPECT(syncstore_pending_ops_kind(NULL, 0) == 0);
    EXPECT(syncstore_pending_ops_resource(NULL, 0) == 0);
    EXPECT(syncstore_pending_ops_resource_name(NULL, 0) == NULL);
    EXPECT(syncstore_pending_ops_payload(NULL, 0, &size) == NULL && syncstore_pending_ops_payload(NULL, 0, NULL) == NULL);
    EXPECT(syncstore_pending_ops_base(NULL, 0, &large) == 0 && syncstore_pending_ops_base(NULL, 0, NULL) == 0);
    EXPECT(syncstore_pending_ops_batch(NULL, 0, &op) == 0 && syncstore_pending_ops_batch(NULL, 0, NULL) == 0);
    EXPECT(syncstore_pending_ops_state(NULL, 0) == 0);
    EXPECT(syncstore_pending_ops_applies(NULL, 0) == 0);
    syncstore_pending_ops_free(NULL);
}

int main(void)
{
    syncstore *store;
    syncstore_batch *batch;
    syncstore_query *query;
    syncstore_walk *walk;
    syncstore_sql *sql;
    syncstore_filter *filter;
    uint64_t count;

    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_query_new(store, "c", &query, &error));
    EXPECT_OK(syncstore_walk_new(store, "c", "k", &walk, &error));
    EXPECT_OK(syncstore_sql_new(store, "SELECT 1", 8, &sql, &error));
    EXPECT_OK(syncstore_filter_only(NULL, 0, &filter, &error));

    on_store(store, filter);
    on_batch(batch);
    on_rows();
    on_query(query);
    on_index_entries();
    on_relation_list();
    on_walk(walk);
    on_related_items();
    on_hits();
    on_sql(sql);
    on_sql_rows();
    on_none();
    on_filter(filter);
    on_pending_ops();

    /* Nothing of all this was written. */
    EXPECT_OK(syncstore_pending_count(store, &count, &error));
    EXPECT(count == 0);

    syncstore_batch_free(batch);
    syncstore_query_free(query);
    syncstore_walk_free(walk);
    syncstore_sql_free(sql);
    syncstore_filter_free(filter);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
