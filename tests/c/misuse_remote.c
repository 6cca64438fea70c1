/* The functions for a server's data with NULL for each of their pointers, bad UTF-8, sizes and constants that are none. Nothing here reaches a server, or leaks. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)

static const char BAD[] = "\xc3\x28";
static const char NOWHERE[] = "http://127.0.0.1:1";

static syncstore_error *error = NULL;

static void errors_of_null(void)
{
    EXPECT(syncstore_error_rev(NULL) == 0 && syncstore_error_rejection(NULL) == NULL);
    EXPECT(syncstore_error_failed_write(NULL) == -1 && syncstore_error_patch_path(NULL) == NULL);
    EXPECT(syncstore_error_patch_operation(NULL) == -1 && syncstore_error_cause(NULL) == SYNCSTORE_OK);
}

static void making(void)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_remote *remote = (syncstore_remote *)&error;

    MISUSE("url is NULL", syncstore_remote_new(NULL, "notes", NULL, &remote, &error));
    MISUSE("url is not UTF-8", syncstore_remote_new(BAD, "notes", NULL, &remote, &error));
    EXPECT(remote == NULL);
    MISUSE("database is NULL", syncstore_remote_new(NOWHERE, NULL, NULL, &remote, &error));
    MISUSE("database is not UTF-8", syncstore_remote_new(NOWHERE, BAD, NULL, &remote, &error));
    MISUSE("remote is NULL", syncstore_remote_new(NOWHERE, "notes", NULL, NULL, &error));
    options.struct_size = 1;
    MISUSE("struct_size", syncstore_remote_new(NOWHERE, "notes", &options, &remote, &error));
    EXPECT_FAILS(SYNCSTORE_SETUP, "URL", syncstore_remote_new("nowhere", "notes", NULL, &remote, &error));
    syncstore_remote_free(NULL);
}

static void reading(syncstore_remote *remote)
{
    syncstore_remote_query query = SYNCSTORE_REMOTE_QUERY_INIT;
    syncstore_cancel *cancel = syncstore_cancel_new();
    syncstore_remote *other;
    syncstore_remote_item *item;
    syncstore_remote_page *page;
    syncstore_traffic traffic;
    syncstore_text json;
    syncstore_ref op;

    MISUSE("remote is NULL", syncstore_remote_cancellable(NULL, cancel, &other, &error));
    MISUSE("cancel is NULL", syncstore_remote_cancellable(remote, NULL, &other, &error));
    MISUSE("other is NULL", syncstore_remote_cancellable(remote, cancel, NULL, &error));
    syncstore_cancel_free(cancel);
    MISUSE("remote is NULL", syncstore_remote_info(NULL, &json, &error));
    MISUSE("json is NULL", syncstore_remote_info(remote, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_traffic(NULL, &traffic, &error));
    MISUSE("traffic is NULL", syncstore_remote_traffic(remote, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_new_ref(NULL, &op, &error));
    MISUSE("op is NULL", syncstore_remote_new_ref(remote, NULL, &error));

    MISUSE("remote is NULL", syncstore_remote_get(NULL, "c", "k", &item, &error));
    MISUSE("collection is NULL", syncstore_remote_get(remote, NULL, "k", &item, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_get(remote, BAD, "k", &item, &error));
    MISUSE("key is NULL", syncstore_remote_get(remote, "c", NULL, &item, &error));
    MISUSE("key is not UTF-8", syncstore_remote_get(remote, "c", BAD, &item, &error));
    MISUSE("item is NULL", syncstore_remote_get(remote, "c", "k", NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_get_newer(NULL, "c", "k", 1, &item, &error));
    MISUSE("collection is NULL", syncstore_remote_get_newer(remote, NULL, "k", 1, &item, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_get_newer(remote, BAD, "k", 1, &item, &error));
    MISUSE("key is NULL", syncstore_remote_get_newer(remote, "c", NULL, 1, &item, &error));
    MISUSE("key is not UTF-8", syncstore_remote_get_newer(remote, "c", BAD, 1, &item, &error));
    MISUSE("item is NULL", syncstore_remote_get_newer(remote, "c", "k", 1, NULL, &error));
    EXPECT(syncstore_remote_item_rev(NULL) == 0 && syncstore_remote_item_value(NULL) == NULL);
    EXPECT(syncstore_remote_item_json(NULL) == NULL);
    syncstore_remote_item_free(NULL);

#define PART(function)                                                                     \
    MISUSE("remote is NULL", function(NULL, "c", "k", &json, &error));                     \
    MISUSE("collection is NULL", function(remote, NULL, "k", &json, &error));              \
    MISUSE("collection is not UTF-8", function(remote, BAD, "k", &json, &error));          \
    MISUSE("key is NULL", function(remote, "c", NULL, &json, &error));                     \
    MISUSE("key is not UTF-8", function(remote, "c", BAD, &json, &error));                 \
    MISUSE("json is NULL", function(remote, "c", "k", NULL, &error))
    PART(syncstore_remote_indexes);
    PART(syncstore_remote_relations);
    PART(syncstore_remote_tags);
    EXPECT_FAILS(SYNCSTORE_LIMIT, "key", syncstore_remote_indexes(remote, "c", "", &json, &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "key", syncstore_remote_relations(remote, "c", "", &json, &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "key", syncstore_remote_tags(remote, "c", "", &json, &error));

    MISUSE("remote is NULL", syncstore_remote_list(NULL, "c", NULL, &page, &error));
    MISUSE("collection is NULL", syncstore_remote_list(remote, NULL, NULL, &page, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_list(remote, BAD, NULL, &page, &error));
    MISUSE("page is NULL", syncstore_remote_list(remote, "c", NULL, NULL, &error));
    query.reverse = 2;
    MISUSE("query.reverse", syncstore_remote_list(remote, "c", &query, &page, &error));
    query.reverse = 0;
#define TEXT(member)                                                                       \
    query.member = BAD;                                                                    \
    MISUSE("query." #member, syncstore_remote_list(remote, "c", &query, &page, &error));   \
    query.member = NULL
    TEXT(index);
    TEXT(prefix);
    TEXT(from);
    TEXT(to);
    TEXT(after);
    query.struct_size = 0;
    MISUSE("struct_size", syncstore_remote_list(remote, "c", &query, &page, &error));
    MISUSE("remote is NULL", syncstore_remote_collections(NULL, NULL, &page, &error));
    MISUSE("after is not UTF-8", syncstore_remote_collections(remote, BAD, &page, &error));
    MISUSE("page is NULL", syncstore_remote_collections(remote, NULL, NULL, &error));
    EXPECT(syncstore_remote_page_count(NULL) == 0 && syncstore_remote_page_key(NULL, 0) == NULL);
    EXPECT(syncstore_remote_page_value(NULL, 0) == NULL && syncstore_remote_page_rev(NULL, 0) == 0);
    EXPECT(syncstore_remote_page_items(NULL, 0) == 0 && syncstore_remote_page_order(NULL, 0) == NULL);
    EXPECT(syncstore_remote_page_next(NULL) == NULL);
    syncstore_remote_page_free(NULL);
}

static void writing(syncstore_remote *remote)
{
    syncstore_write_options short_options = SYNCSTORE_WRITE_OPTIONS_INIT, options = SYNCSTORE_WRITE_OPTIONS_INIT;

    short_options.struct_size = 4;
    MISUSE("remote is NULL", syncstore_remote_set(NULL, "c", "k", "1", 1, NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_set(remote, NULL, "k", "1", 1, NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_set(remote, BAD, "k", "1", 1, NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_set(remote, "c", NULL, "1", 1, NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_set(remote, "c", BAD, "1", 1, NULL, NULL, &error));
    MISUSE("json is NULL", syncstore_remote_set(remote, "c", "k", NULL, 1, NULL, NULL, &error));
    MISUSE("json is not UTF-8", syncstore_remote_set(remote, "c", "k", BAD, 1, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_set(remote, "c", "k", "1", 1, &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_patch(NULL, "c", "k", "[]", 2, NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_patch(remote, NULL, "k", "[]", 2, NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_patch(remote, BAD, "k", "[]", 2, NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_patch(remote, "c", NULL, "[]", 2, NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_patch(remote, "c", BAD, "[]", 2, NULL, NULL, &error));
    MISUSE("patch is NULL", syncstore_remote_patch(remote, "c", "k", NULL, 2, NULL, NULL, &error));
    MISUSE("patch is not UTF-8", syncstore_remote_patch(remote, "c", "k", BAD, 2, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_patch(remote, "c", "k", "[]", 2, &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_delete(NULL, "c", "k", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_delete(remote, NULL, "k", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_delete(remote, BAD, "k", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_delete(remote, "c", NULL, NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_delete(remote, "c", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_delete(remote, "c", "k", &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_set_index(NULL, "c", "k", "i", "o", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_set_index(remote, NULL, "k", "i", "o", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_set_index(remote, BAD, "k", "i", "o", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_set_index(remote, "c", NULL, "i", "o", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_set_index(remote, "c", BAD, "i", "o", NULL, NULL, &error));
    MISUSE("index is NULL", syncstore_remote_set_index(remote, "c", "k", NULL, "o", NULL, NULL, &error));
    MISUSE("index is not UTF-8", syncstore_remote_set_index(remote, "c", "k", BAD, "o", NULL, NULL, &error));
    MISUSE("order is NULL", syncstore_remote_set_index(remote, "c", "k", "i", NULL, NULL, NULL, &error));
    MISUSE("order is not UTF-8", syncstore_remote_set_index(remote, "c", "k", "i", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_set_index(remote, "c", "k", "i", "o", &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_delete_index(NULL, "c", "k", "i", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_delete_index(remote, NULL, "k", "i", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_delete_index(remote, BAD, "k", "i", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_delete_index(remote, "c", NULL, "i", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_delete_index(remote, "c", BAD, "i", NULL, NULL, &error));
    MISUSE("index is NULL", syncstore_remote_delete_index(remote, "c", "k", NULL, NULL, NULL, &error));
    MISUSE("index is not UTF-8", syncstore_remote_delete_index(remote, "c", "k", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_delete_index(remote, "c", "k", "i", &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_set_relation(NULL, "c", "k", "r", "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_set_relation(remote, NULL, "k", "r", "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_set_relation(remote, BAD, "k", "r", "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_set_relation(remote, "c", NULL, "r", "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_set_relation(remote, "c", BAD, "r", "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("id is NULL", syncstore_remote_set_relation(remote, "c", "k", NULL, "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("id is not UTF-8", syncstore_remote_set_relation(remote, "c", "k", BAD, "p", "oc", "ok", NULL, NULL, &error));
    MISUSE("predicate is NULL", syncstore_remote_set_relation(remote, "c", "k", "r", NULL, "oc", "ok", NULL, NULL, &error));
    MISUSE("predicate is not UTF-8", syncstore_remote_set_relation(remote, "c", "k", "r", BAD, "oc", "ok", NULL, NULL, &error));
    MISUSE("object_collection is NULL", syncstore_remote_set_relation(remote, "c", "k", "r", "p", NULL, "ok", NULL, NULL, &error));
    MISUSE("object_collection is not UTF-8", syncstore_remote_set_relation(remote, "c", "k", "r", "p", BAD, "ok", NULL, NULL, &error));
    MISUSE("object_key is NULL", syncstore_remote_set_relation(remote, "c", "k", "r", "p", "oc", NULL, NULL, NULL, &error));
    MISUSE("object_key is not UTF-8", syncstore_remote_set_relation(remote, "c", "k", "r", "p", "oc", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_set_relation(remote, "c", "k", "r", "p", "oc", "ok", &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_delete_relation(NULL, "c", "k", "r", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_delete_relation(remote, NULL, "k", "r", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_delete_relation(remote, BAD, "k", "r", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_delete_relation(remote, "c", NULL, "r", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_delete_relation(remote, "c", BAD, "r", NULL, NULL, &error));
    MISUSE("id is NULL", syncstore_remote_delete_relation(remote, "c", "k", NULL, NULL, NULL, &error));
    MISUSE("id is not UTF-8", syncstore_remote_delete_relation(remote, "c", "k", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_delete_relation(remote, "c", "k", "r", &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_add_tag(NULL, "c", "k", "t", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_add_tag(remote, NULL, "k", "t", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_add_tag(remote, BAD, "k", "t", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_add_tag(remote, "c", NULL, "t", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_add_tag(remote, "c", BAD, "t", NULL, NULL, &error));
    MISUSE("tag is NULL", syncstore_remote_add_tag(remote, "c", "k", NULL, NULL, NULL, &error));
    MISUSE("tag is not UTF-8", syncstore_remote_add_tag(remote, "c", "k", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_add_tag(remote, "c", "k", "t", &short_options, NULL, &error));
    MISUSE("remote is NULL", syncstore_remote_remove_tag(NULL, "c", "k", "t", NULL, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_remove_tag(remote, NULL, "k", "t", NULL, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_remove_tag(remote, BAD, "k", "t", NULL, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_remove_tag(remote, "c", NULL, "t", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_remove_tag(remote, "c", BAD, "t", NULL, NULL, &error));
    MISUSE("tag is NULL", syncstore_remote_remove_tag(remote, "c", "k", NULL, NULL, NULL, &error));
    MISUSE("tag is not UTF-8", syncstore_remote_remove_tag(remote, "c", "k", BAD, NULL, NULL, &error));
    MISUSE("struct_size", syncstore_remote_remove_tag(remote, "c", "k", "t", &short_options, NULL, &error));
    options.precondition = 9;
    MISUSE("options.precondition", syncstore_remote_delete(remote, "c", "k", &options, NULL, &error));
    options.precondition = 0;
    options.has_base = 2;
    MISUSE("options.has_base", syncstore_remote_delete(remote, "c", "k", &options, NULL, &error));
    options.has_base = 1;
    MISUSE("options.has_base", syncstore_remote_delete(remote, "c", "k", &options, NULL, &error));
}

static void batches(syncstore_remote *remote)
{
    syncstore_write_options short_options = SYNCSTORE_WRITE_OPTIONS_INIT, options = SYNCSTORE_WRITE_OPTIONS_INIT;
    syncstore_remote_batch *batch;
    uint64_t rev;

    MISUSE("remote is NULL", syncstore_remote_batch_new(NULL, &batch, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_new(remote, NULL, &error));
    EXPECT_OK(syncstore_remote_batch_new(remote, &batch, &error));
    short_options.struct_size = 4;
    MISUSE("batch is NULL", syncstore_remote_batch_set(NULL, "c", "k", "1", 1, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_set(batch, NULL, "k", "1", 1, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_set(batch, BAD, "k", "1", 1, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_set(batch, "c", NULL, "1", 1, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_set(batch, "c", BAD, "1", 1, NULL, &error));
    MISUSE("json is NULL", syncstore_remote_batch_set(batch, "c", "k", NULL, 1, NULL, &error));
    MISUSE("json is not UTF-8", syncstore_remote_batch_set(batch, "c", "k", BAD, 1, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_set(batch, "c", "k", "1", 1, &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_patch(NULL, "c", "k", "[]", 2, NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_patch(batch, NULL, "k", "[]", 2, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_patch(batch, BAD, "k", "[]", 2, NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_patch(batch, "c", NULL, "[]", 2, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_patch(batch, "c", BAD, "[]", 2, NULL, &error));
    MISUSE("patch is NULL", syncstore_remote_batch_patch(batch, "c", "k", NULL, 2, NULL, &error));
    MISUSE("patch is not UTF-8", syncstore_remote_batch_patch(batch, "c", "k", BAD, 2, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_patch(batch, "c", "k", "[]", 2, &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_delete(NULL, "c", "k", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_delete(batch, NULL, "k", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_delete(batch, BAD, "k", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_delete(batch, "c", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_delete(batch, "c", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_delete(batch, "c", "k", &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_set_index(NULL, "c", "k", "i", "o", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_set_index(batch, NULL, "k", "i", "o", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_set_index(batch, BAD, "k", "i", "o", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_set_index(batch, "c", NULL, "i", "o", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_set_index(batch, "c", BAD, "i", "o", NULL, &error));
    MISUSE("index is NULL", syncstore_remote_batch_set_index(batch, "c", "k", NULL, "o", NULL, &error));
    MISUSE("index is not UTF-8", syncstore_remote_batch_set_index(batch, "c", "k", BAD, "o", NULL, &error));
    MISUSE("order is NULL", syncstore_remote_batch_set_index(batch, "c", "k", "i", NULL, NULL, &error));
    MISUSE("order is not UTF-8", syncstore_remote_batch_set_index(batch, "c", "k", "i", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_set_index(batch, "c", "k", "i", "o", &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_delete_index(NULL, "c", "k", "i", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_delete_index(batch, NULL, "k", "i", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_delete_index(batch, BAD, "k", "i", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_delete_index(batch, "c", NULL, "i", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_delete_index(batch, "c", BAD, "i", NULL, &error));
    MISUSE("index is NULL", syncstore_remote_batch_delete_index(batch, "c", "k", NULL, NULL, &error));
    MISUSE("index is not UTF-8", syncstore_remote_batch_delete_index(batch, "c", "k", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_delete_index(batch, "c", "k", "i", &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_set_relation(NULL, "c", "k", "r", "p", "oc", "ok", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_set_relation(batch, NULL, "k", "r", "p", "oc", "ok", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_set_relation(batch, BAD, "k", "r", "p", "oc", "ok", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_set_relation(batch, "c", NULL, "r", "p", "oc", "ok", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_set_relation(batch, "c", BAD, "r", "p", "oc", "ok", NULL, &error));
    MISUSE("id is NULL", syncstore_remote_batch_set_relation(batch, "c", "k", NULL, "p", "oc", "ok", NULL, &error));
    MISUSE("id is not UTF-8", syncstore_remote_batch_set_relation(batch, "c", "k", BAD, "p", "oc", "ok", NULL, &error));
    MISUSE("predicate is NULL", syncstore_remote_batch_set_relation(batch, "c", "k", "r", NULL, "oc", "ok", NULL, &error));
    MISUSE("predicate is not UTF-8", syncstore_remote_batch_set_relation(batch, "c", "k", "r", BAD, "oc", "ok", NULL, &error));
    MISUSE("object_collection is NULL", syncstore_remote_batch_set_relation(batch, "c", "k", "r", "p", NULL, "ok", NULL, &error));
    MISUSE("object_collection is not UTF-8", syncstore_remote_batch_set_relation(batch, "c", "k", "r", "p", BAD, "ok", NULL, &error));
    MISUSE("object_key is NULL", syncstore_remote_batch_set_relation(batch, "c", "k", "r", "p", "oc", NULL, NULL, &error));
    MISUSE("object_key is not UTF-8", syncstore_remote_batch_set_relation(batch, "c", "k", "r", "p", "oc", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_set_relation(batch, "c", "k", "r", "p", "oc", "ok", &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_delete_relation(NULL, "c", "k", "r", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_delete_relation(batch, NULL, "k", "r", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_delete_relation(batch, BAD, "k", "r", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_delete_relation(batch, "c", NULL, "r", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_delete_relation(batch, "c", BAD, "r", NULL, &error));
    MISUSE("id is NULL", syncstore_remote_batch_delete_relation(batch, "c", "k", NULL, NULL, &error));
    MISUSE("id is not UTF-8", syncstore_remote_batch_delete_relation(batch, "c", "k", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_delete_relation(batch, "c", "k", "r", &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_add_tag(NULL, "c", "k", "t", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_add_tag(batch, NULL, "k", "t", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_add_tag(batch, BAD, "k", "t", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_add_tag(batch, "c", NULL, "t", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_add_tag(batch, "c", BAD, "t", NULL, &error));
    MISUSE("tag is NULL", syncstore_remote_batch_add_tag(batch, "c", "k", NULL, NULL, &error));
    MISUSE("tag is not UTF-8", syncstore_remote_batch_add_tag(batch, "c", "k", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_add_tag(batch, "c", "k", "t", &short_options, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_remove_tag(NULL, "c", "k", "t", NULL, &error));
    MISUSE("collection is NULL", syncstore_remote_batch_remove_tag(batch, NULL, "k", "t", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_remote_batch_remove_tag(batch, BAD, "k", "t", NULL, &error));
    MISUSE("key is NULL", syncstore_remote_batch_remove_tag(batch, "c", NULL, "t", NULL, &error));
    MISUSE("key is not UTF-8", syncstore_remote_batch_remove_tag(batch, "c", BAD, "t", NULL, &error));
    MISUSE("tag is NULL", syncstore_remote_batch_remove_tag(batch, "c", "k", NULL, NULL, &error));
    MISUSE("tag is not UTF-8", syncstore_remote_batch_remove_tag(batch, "c", "k", BAD, NULL, &error));
    MISUSE("struct_size", syncstore_remote_batch_remove_tag(batch, "c", "k", "t", &short_options, &error));
    options.precondition = SYNCSTORE_PRECONDITION_ABSENT;
    MISUSE("options.precondition", syncstore_remote_batch_delete(batch, "c", "k", &options, &error));
    EXPECT(syncstore_remote_batch_count(batch) == 0 && syncstore_remote_batch_count(NULL) == 0);

    rev = 7;
    MISUSE("batch is NULL", syncstore_remote_batch_commit(NULL, NULL, 0, &error));
    MISUSE("batch is NULL", syncstore_remote_batch_commit(NULL, &rev, 1, &error));
    EXPECT(rev == 0);
    EXPECT_OK(syncstore_remote_batch_delete(batch, "c", "k", NULL, &error));
    EXPECT_OK(syncstore_remote_batch_delete(batch, "c", "l", NULL, &error));
    MISUSE("revs has no room", syncstore_remote_batch_commit(batch, NULL, 2, &error));
    rev = 7;
    MISUSE("revs has no room", syncstore_remote_batch_commit(batch, &rev, 1, &error));
    EXPECT(rev == 0);
    MISUSE("revs has no room", syncstore_remote_batch_commit(batch, &rev, 0, &error));
    syncstore_remote_batch_free(batch);
    syncstore_remote_batch_free(NULL);
}

int main(void)
{
    syncstore_remote *remote;

    errors_of_null();
    making();
    EXPECT_OK(syncstore_remote_new(NOWHERE, "notes", NULL, &remote, &error));
    reading(remote);
    writing(remote);
    batches(remote);
    syncstore_remote_free(remote);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
