/* Watching: everything, a collection, an item, keys that begin so, ranges of keys and of an index; what a change says; too much; and being woken. */
#include "expect.h"

static syncstore_error *error = NULL;

typedef struct woken {
    int times, destroyed;
} woken;

static void on_wake(void *user_data)
{
    ((woken *)user_data)->times++;
}

static void on_destroy(void *user_data)
{
    ((woken *)user_data)->destroyed++;
}

static void set(syncstore *store, const char *collection, const char *key, const char *json)
{
    EXPECT_OK(syncstore_set(store, collection, key, json, strlen(json), NULL, &error));
}

static syncstore_watcher *watching(syncstore *store, const syncstore_watch_options *options)
{
    syncstore_watcher *watcher;

    EXPECT_OK(syncstore_watch(store, options, NULL, NULL, NULL, &watcher, &error));
    return watcher;
}

/* That a watcher has changes of just these keys, in one text. */
static void expect_keys(syncstore_watcher *watcher, const char *expected)
{
    char keys[100] = "";
    syncstore_changes *changes;
    size_t i;

    EXPECT_OK(syncstore_watcher_take(watcher, &changes, &error));
    EXPECT(syncstore_changes_overflow(changes) == SYNCSTORE_OVERFLOW_NONE);
    for (i = 0; i < syncstore_changes_count(changes); i++) {
        strcat(strcat(keys, syncstore_change_key(syncstore_changes_at(changes, i))), " ");
    }
    EXPECT(syncstore_changes_at(changes, i) == NULL);
    EXPECT_TEXT(expected, keys);
    syncstore_changes_free(changes);
}

static void each_item_once(syncstore *store)
{
    syncstore_watcher *watcher = watching(store, NULL);
    syncstore_changes *changes;
    const syncstore_change *change;
    syncstore_ref set_op, deleted, told;

    EXPECT_OK(syncstore_set(store, "notes", "n1", "1", 1, NULL, &error));
    EXPECT_OK(syncstore_set(store, "notes", "n2", "1", 1, &set_op, &error));
    EXPECT_OK(syncstore_delete(store, "notes", "n1", &deleted, &error));

    EXPECT_OK(syncstore_watcher_take(watcher, &changes, &error));
    EXPECT(syncstore_changes_count(changes) == 2);
    change = syncstore_changes_at(changes, 0);
    EXPECT_TEXT("notes", syncstore_change_collection(change));
    EXPECT_TEXT("n1", syncstore_change_key(change));
    EXPECT(syncstore_change_kind_of(change) == SYNCSTORE_CHANGE_DELETED);
    EXPECT(syncstore_change_origin(change) == SYNCSTORE_ORIGIN_LOCAL);
    change = syncstore_changes_at(changes, 1);
    EXPECT_TEXT("n2", syncstore_change_key(change));
    EXPECT(syncstore_change_kind_of(change) == SYNCSTORE_CHANGE_SET);
    EXPECT(syncstore_change_ref(change, &told) == 1);
    EXPECT(memcmp(told.bytes, set_op.bytes, sizeof told.bytes) == 0);
    syncstore_changes_free(changes);
    expect_keys(watcher, "");
    syncstore_watcher_free(watcher);
}

static void of_what_is_asked(syncstore *store)
{
    syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_watcher *collection, *key, *prefix, *keys;

    options.collection = "tasks";
    collection = watching(store, &options);
    options.key = "b2";
    key = watching(store, &options);
    options.key = NULL;
    options.prefix = "b";
    prefix = watching(store, &options);
    options.from = "\"b2\"";
    options.to = "\"b3\"";
    keys = watching(store, &options);

    set(store, "other", "b2", "1");
    set(store, "tasks", "a1", "1");
    set(store, "tasks", "b1", "1");
    set(store, "tasks", "b2", "1");
    set(store, "tasks", "b3", "1");
    expect_keys(collection, "a1 b1 b2 b3 ");
    expect_keys(key, "b2 ");
    expect_keys(prefix, "b1 b2 b3 ");
    expect_keys(keys, "b2 ");
    syncstore_watcher_free(collection);
    syncstore_watcher_free(key);
    syncstore_watcher_free(prefix);
    syncstore_watcher_free(keys);
}

static void of_an_index(syncstore *store)
{
    syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_watcher *watcher;

    /* No entry is in it: nothing that is set comes into the range. */
    options.collection = "tasks";
    options.index = "by_due";
    options.to = "\"2026-12\"";
    watcher = watching(store, &options);
    set(store, "tasks", "c1", "1");
    expect_keys(watcher, "");
    syncstore_watcher_free(watcher);
}

static void too_much(syncstore *store)
{
    syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_watcher *watcher;
    syncstore_changes *changes;

    options.capacity = 1;
    watcher = watching(store, &options);
    set(store, "notes", "m1", "1");
    set(store, "notes", "m2", "1");
    EXPECT_OK(syncstore_watcher_take(watcher, &changes, &error));
    EXPECT(syncstore_changes_overflow(changes) == SYNCSTORE_OVERFLOW_FULL);
    EXPECT(syncstore_changes_count(changes) == 0);
    syncstore_changes_free(changes);
    set(store, "notes", "m3", "1");
    expect_keys(watcher, "m3 ");
    syncstore_watcher_free(watcher);
}

static void woken_once(syncstore *store)
{
    woken woken = {0, 0};
    syncstore_watcher *watcher;

    EXPECT_OK(syncstore_watch(store, NULL, on_wake, &woken, on_destroy, &watcher, &error));
    set(store, "notes", "w1", "1");
    set(store, "notes", "w2", "1");
    EXPECT(woken.times == 1);
    expect_keys(watcher, "w1 w2 ");
    set(store, "notes", "w3", "1");
    EXPECT(woken.times == 2 && woken.destroyed == 0);
    syncstore_watcher_free(watcher);
    EXPECT(woken.destroyed == 1);
    set(store, "notes", "w4", "1");
    EXPECT(woken.times == 2);
}

/* Within a wake a program may do what it likes. */
typedef struct within {
    syncstore *store;
    syncstore_watcher *watcher;
    int destroyed;
} within;

static void free_all(void *user_data)
{
    within *within_wake = user_data;
    syncstore_text json;

    if (within_wake->watcher != NULL) {
        EXPECT(syncstore_get(within_wake->store, "notes", "x1", &json, NULL) == SYNCSTORE_OK);
        syncstore_text_free(&json);
        syncstore_watcher_free(within_wake->watcher);
        within_wake->watcher = NULL;
        EXPECT(syncstore_close(within_wake->store, NULL, NULL) == SYNCSTORE_OK);
        syncstore_free(within_wake->store);
    }
}

static void on_within_destroy(void *user_data)
{
    ((within *)user_data)->destroyed++;
}

static void all_is_freed_within_a_wake(void)
{
    within within_wake = {NULL, NULL, 0};

    EXPECT_OK(syncstore_open("within.db", NULL, &within_wake.store, &error));
    EXPECT_OK(syncstore_watch(within_wake.store, NULL, free_all, &within_wake, on_within_destroy,
                              &within_wake.watcher, &error));
    /* The write is done, and then the store is gone. */
    EXPECT_OK(syncstore_set(within_wake.store, "notes", "x1", "1", 1, NULL, &error));
    EXPECT(within_wake.watcher == NULL && within_wake.destroyed == 1);
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("watch.db", NULL, &store, &error));
    each_item_once(store);
    of_what_is_asked(store);
    of_an_index(store);
    too_much(store);
    woken_once(store);
    syncstore_free(store);
    all_is_freed_within_a_wake();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
