/* Full-text search: declared, built, asked in each mode, and dropped. */
#include "expect.h"

static syncstore_error *error = NULL;

static const char *const FIELDS[] = {"/title", "/body"};

static void set(syncstore *store, const char *key, const char *json)
{
    EXPECT_OK(syncstore_set(store, "notes", key, json, strlen(json), NULL, &error));
}

static int32_t end_it(void *user_data, uint64_t done, uint64_t total)
{
    uint64_t *calls = user_data;

    EXPECT(done <= total);
    ++*calls;
    return -1;
}

/* What is found by a text; checked against the keys that are expected, "" for none. */
static void expect_found(syncstore *store, syncstore_search_mode mode, const char *text, const char *expected)
{
    syncstore_hits *hits;
    char all[64] = "";
    size_t place;

    EXPECT_OK(syncstore_search(store, "notes", mode, text, strlen(text), NULL, &hits, &error));
    EXPECT(syncstore_hits_is_complete(hits) == 1);
    for (place = 0; place < syncstore_hits_count(hits); place++) {
        EXPECT(strlen(all) + strlen(syncstore_hits_key(hits, place)) + 1 < sizeof all);
        strcat(all, syncstore_hits_key(hits, place));
        EXPECT(place == 0 || syncstore_hits_rank(hits, place) >= syncstore_hits_rank(hits, place - 1));
    }
    EXPECT(syncstore_hits_key(hits, place) == NULL && syncstore_hits_snippet(hits, place, NULL) == NULL);
    EXPECT(syncstore_hits_rank(hits, place) == 0.0);
    if (strcmp(all, expected) != 0) {
        fprintf(stderr, "%s found %s\n", text, all);
    }
    EXPECT(strcmp(all, expected) == 0);
    syncstore_hits_free(hits);
}

static void snippets(syncstore *store)
{
    syncstore_search_options options = SYNCSTORE_SEARCH_OPTIONS_INIT;
    syncstore_hits *hits;
    const char *snippet;
    size_t len;

    EXPECT_OK(syncstore_search(store, "notes", SYNCSTORE_SEARCH_WORDS, "kase", 4, NULL, &hits, &error));
    snippet = syncstore_hits_snippet(hits, 0, &len);
    EXPECT(len == strlen("Milk, bread and [K\xc3\xa4se]"));
    EXPECT(memcmp(snippet, "Milk, bread and [K\xc3\xa4se]", len) == 0);
    EXPECT(syncstore_hits_rank(hits, 0) < 0.1);
    syncstore_hits_free(hits);

    options.mark_before = "<b>";
    options.mark_behind = "</b>";
    options.limit = 1;
    EXPECT_OK(syncstore_search(store, "notes", SYNCSTORE_SEARCH_WORDS, "milk", 4, &options, &hits, &error));
    EXPECT(syncstore_hits_count(hits) == 1);
    snippet = syncstore_hits_snippet(hits, 0, &len);
    EXPECT(len >= 11 && memcmp(snippet, "<b>Milk</b>", 11) == 0);
    syncstore_hits_free(hits);
}

int main(void)
{
    syncstore *store;
    syncstore_hits *hits;
    int32_t must_build = 0, was_there = 0;
    uint64_t calls = 0;

    EXPECT_OK(syncstore_open("search.db", NULL, &store, &error));
    set(store, "1", "{\"title\": \"Shopping\", \"body\": \"Milk, bread and K\xc3\xa4se\"}");
    EXPECT_OK(syncstore_declare_search(store, "notes", "notes", FIELDS, 2, &must_build, &error));
    EXPECT(must_build == 1);
    EXPECT_OK(syncstore_search(store, "notes", SYNCSTORE_SEARCH_WORDS, "milk", 4, NULL, &hits, &error));
    EXPECT(syncstore_hits_count(hits) == 0 && syncstore_hits_is_complete(hits) == 0);
    syncstore_hits_free(hits);
    EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_build_search(store, "notes", end_it, &calls, &error));
    EXPECT(calls == 1);
    EXPECT_OK(syncstore_build_search(store, "notes", NULL, NULL, &error));
    set(store, "2", "{\"title\": \"Milk\", \"body\": \"for the cat\"}");

    expect_found(store, SYNCSTORE_SEARCH_WORDS, "bread milk", "1");
    expect_found(store, SYNCSTORE_SEARCH_WORDS, "bread cat", "");
    expect_found(store, SYNCSTORE_SEARCH_WORDS, "shop", "");
    expect_found(store, SYNCSTORE_SEARCH_WORDS_SO_FAR, "milk shop", "1");
    expect_found(store, SYNCSTORE_SEARCH_EXPRESSION, "f0: milk", "2");
    expect_found(store, SYNCSTORE_SEARCH_EXPRESSION, "milk AND (bread OR dog)", "1");
    snippets(store);
    EXPECT_FAILS(SYNCSTORE_SEARCH, "cannot be read",
                 syncstore_search(store, "notes", SYNCSTORE_SEARCH_EXPRESSION, "\"", 1, NULL, &hits, &error));
    EXPECT_FAILS(SYNCSTORE_SEARCH, "1 to 16", syncstore_declare_search(store, "none", "notes", NULL, 0, NULL, &error));

    EXPECT_OK(syncstore_drop_search(store, "notes", &was_there, &error));
    EXPECT(was_there == 1);
    EXPECT_OK(syncstore_drop_search(store, "notes", &was_there, &error));
    EXPECT(was_there == 0);
    EXPECT_FAILS(SYNCSTORE_SEARCH, "no search",
                 syncstore_search(store, "notes", SYNCSTORE_SEARCH_WORDS, "milk", 4, NULL, &hits, &error));
    EXPECT_FAILS(SYNCSTORE_SEARCH, "no search", syncstore_build_search(store, "notes", NULL, NULL, &error));
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
