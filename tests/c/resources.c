/* Index entries, relations and tags of items, and walks over relations. */
#include "expect.h"

static syncstore_error *error = NULL;

static void set(syncstore *store, const char *collection, const char *key)
{
    EXPECT_OK(syncstore_set(store, collection, key, "{\"a\": 1}", 8, NULL, &error));
}

static void index_entries(syncstore *store)
{
    syncstore_index_entries *entries;
    syncstore_ref op, other;

    EXPECT_OK(syncstore_set_index(store, "notes", "n1", "by_name", "milk", &op, &error));
    EXPECT_OK(syncstore_set_index(store, "notes", "n1", "by_date", "2026-11-20", &other, &error));
    EXPECT(memcmp(op.bytes, other.bytes, sizeof op.bytes) < 0);
    EXPECT_OK(syncstore_indexes(store, "notes", "n1", &entries, &error));
    EXPECT(syncstore_index_entries_count(entries) == 2);
    EXPECT_TEXT("by_date", syncstore_index_entries_name(entries, 0));
    EXPECT_TEXT("2026-11-20", syncstore_index_entries_order(entries, 0));
    EXPECT_TEXT("by_name", syncstore_index_entries_name(entries, 1));
    EXPECT_TEXT("milk", syncstore_index_entries_order(entries, 1));
    EXPECT(syncstore_index_entries_name(entries, 2) == NULL && syncstore_index_entries_order(entries, 2) == NULL);
    syncstore_index_entries_free(entries);

    EXPECT_OK(syncstore_delete_index(store, "notes", "n1", "by_date", &op, &error));
    EXPECT_OK(syncstore_indexes(store, "notes", "n1", &entries, &error));
    EXPECT(syncstore_index_entries_count(entries) == 1);
    syncstore_index_entries_free(entries);
    EXPECT_OK(syncstore_indexes(store, "notes", "none", &entries, &error));
    EXPECT(syncstore_index_entries_count(entries) == 0);
    syncstore_index_entries_free(entries);
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "none", syncstore_set_index(store, "notes", "none", "by_date", "1", NULL, &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "index name", syncstore_set_index(store, "notes", "n1", "", "1", NULL, &error));
}

static void relations(syncstore *store)
{
    syncstore_relation_list *list;
    syncstore_ref op;

    EXPECT_OK(syncstore_set_relation(store, "notes", "n1", "r1", "in", "folders", "home", &op, &error));
    EXPECT_OK(syncstore_set_relation(store, "notes", "n1", "r2", "by", "people", "ada", NULL, &error));
    EXPECT_OK(syncstore_set_relation(store, "notes", "n2", "r1", "in", "folders", "home", NULL, &error));
    EXPECT_OK(syncstore_relations(store, "notes", "n1", NULL, &list, &error));
    EXPECT(syncstore_relation_list_count(list) == 2);
    EXPECT_TEXT("r1", syncstore_relation_list_id(list, 0));
    EXPECT_TEXT("in", syncstore_relation_list_predicate(list, 0));
    EXPECT_TEXT("folders", syncstore_relation_list_collection(list, 0));
    EXPECT_TEXT("home", syncstore_relation_list_key(list, 0));
    EXPECT_TEXT("people", syncstore_relation_list_collection(list, 1));
    EXPECT(syncstore_relation_list_id(list, 2) == NULL && syncstore_relation_list_predicate(list, 2) == NULL);
    EXPECT(syncstore_relation_list_collection(list, 2) == NULL && syncstore_relation_list_key(list, 2) == NULL);
    syncstore_relation_list_free(list);

    EXPECT_OK(syncstore_relations(store, "notes", "n1", "by", &list, &error));
    EXPECT(syncstore_relation_list_count(list) == 1);
    EXPECT_TEXT("ada", syncstore_relation_list_key(list, 0));
    syncstore_relation_list_free(list);

    EXPECT_OK(syncstore_relations_to(store, "folders", "home", NULL, &list, &error));
    EXPECT(syncstore_relation_list_count(list) == 2);
    EXPECT_TEXT("notes", syncstore_relation_list_collection(list, 1));
    EXPECT_TEXT("n2", syncstore_relation_list_key(list, 1));
    syncstore_relation_list_free(list);
    EXPECT_OK(syncstore_relations_to(store, "folders", "home", "by", &list, &error));
    EXPECT(syncstore_relation_list_count(list) == 0);
    syncstore_relation_list_free(list);

    EXPECT_OK(syncstore_delete_relation(store, "notes", "n1", "r2", NULL, &error));
    EXPECT_OK(syncstore_relations(store, "notes", "n1", NULL, &list, &error));
    EXPECT(syncstore_relation_list_count(list) == 1);
    syncstore_relation_list_free(list);
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "none",
                 syncstore_set_relation(store, "notes", "none", "r", "in", "folders", "home", NULL, &error));
}

static void walks(syncstore *store)
{
    syncstore_walk *walk;
    syncstore_related_items *found;
    const char *value;
    size_t len;

    /* From a note to its folder, and on to the other notes in that. */
    EXPECT_OK(syncstore_walk_new(store, "notes", "n1", &walk, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "walk has no step", syncstore_walk_run(walk, &found, &error));
    EXPECT_OK(syncstore_walk_forwards(walk, "in", &error));
    EXPECT_OK(syncstore_walk_backwards(walk, "in", &error));
    EXPECT_OK(syncstore_walk_run(walk, &found, &error));
    EXPECT(syncstore_related_items_count(found) == 2 && syncstore_related_items_more(found) == 0);
    EXPECT_TEXT("folders", syncstore_related_items_collection(found, 0));
    EXPECT_TEXT("home", syncstore_related_items_key(found, 0));
    EXPECT(syncstore_related_items_depth(found, 0) == 1 && syncstore_related_items_depth(found, 1) == 2);
    EXPECT(syncstore_related_items_value(found, 1, &len) == NULL && len == 0);
    EXPECT(syncstore_related_items_collection(found, 2) == NULL && syncstore_related_items_key(found, 2) == NULL);
    EXPECT(syncstore_related_items_depth(found, 2) == 0);
    syncstore_related_items_free(found);

    EXPECT_OK(syncstore_walk_values(walk, 1, &error));
    EXPECT_OK(syncstore_walk_run(walk, &found, &error));
    /* The folder does not exist. */
    EXPECT(syncstore_related_items_value(found, 0, &len) == NULL && len == 0);
    EXPECT_TEXT("n2", syncstore_related_items_key(found, 1));
    value = syncstore_related_items_value(found, 1, &len);
    EXPECT(value != NULL && len == 8 && memcmp(value, "{\"a\": 1}", len) == 0);
    syncstore_related_items_free(found);

    EXPECT_OK(syncstore_walk_limit(walk, 1, &error));
    EXPECT_OK(syncstore_walk_run(walk, &found, &error));
    EXPECT(syncstore_related_items_count(found) == 1 && syncstore_related_items_more(found) == 1);
    syncstore_related_items_free(found);
    EXPECT_OK(syncstore_walk_limit(walk, 0, &error));
    EXPECT_OK(syncstore_walk_depth(walk, 1, &error));
    EXPECT_OK(syncstore_walk_run(walk, &found, &error));
    EXPECT(syncstore_related_items_count(found) == 1 && syncstore_related_items_more(found) == 0);
    syncstore_related_items_free(found);
    syncstore_walk_free(walk);

    /* What something is in, what that is in, and so on. */
    set(store, "folders", "home");
    EXPECT_OK(syncstore_set_relation(store, "folders", "home", "r1", "in", "folders", "root", NULL, &error));
    EXPECT_OK(syncstore_walk_new(store, "notes", "n1", &walk, &error));
    EXPECT_OK(syncstore_walk_forwards(walk, "in", &error));
    EXPECT_OK(syncstore_walk_depth(walk, 9, &error));
    EXPECT_OK(syncstore_walk_run(walk, &found, &error));
    EXPECT(syncstore_related_items_count(found) == 2 && syncstore_related_items_depth(found, 1) == 2);
    EXPECT_TEXT("root", syncstore_related_items_key(found, 1));
    syncstore_related_items_free(found);
    syncstore_walk_free(walk);
}

static void tags(syncstore *store)
{
    syncstore_names *names;
    syncstore_ref op;

    EXPECT_OK(syncstore_add_tag(store, "notes", "n1", "red", &op, &error));
    EXPECT_OK(syncstore_add_tag(store, "notes", "n1", "blue", NULL, &error));
    EXPECT_OK(syncstore_tags(store, "notes", "n1", &names, &error));
    EXPECT(syncstore_names_count(names) == 2);
    EXPECT_TEXT("blue", syncstore_names_at(names, 0));
    syncstore_names_free(names);
    EXPECT_OK(syncstore_remove_tag(store, "notes", "n1", "blue", &op, &error));
    EXPECT_OK(syncstore_tags(store, "notes", "n1", &names, &error));
    EXPECT(syncstore_names_count(names) == 1);
    EXPECT_TEXT("red", syncstore_names_at(names, 0));
    syncstore_names_free(names);
    EXPECT_FAILS(SYNCSTORE_NO_ITEM, "none", syncstore_add_tag(store, "notes", "none", "red", NULL, &error));
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("resources.db", NULL, &store, &error));
    set(store, "notes", "n1");
    set(store, "notes", "n2");
    index_entries(store);
    relations(store);
    walks(store);
    tags(store);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
