/* Every function with NULL for each of its pointers, bad UTF-8, sizes that are none, calls after closing, and frees in any order: each has a
 * defined answer, and nothing leaks. A function that is added to the header has to be added here. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)
#define CLOSED(call) EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", call)

static const char BAD[] = "\xc3\x28";

static syncstore_error *error = NULL;

static void library_and_status(void)
{
    EXPECT(syncstore_version() != NULL);
    EXPECT(syncstore_live_handles() == 0);
    EXPECT_TEXT("SYNCSTORE_OK", syncstore_status_name(0));
}

static void errors_of_null(void)
{
    syncstore_ref op;

    memset(&op, 0xff, sizeof op);
    EXPECT(syncstore_error_code(NULL) == SYNCSTORE_OK);
    EXPECT_TEXT("", syncstore_error_message(NULL));
    EXPECT(syncstore_error_sqlite_code(NULL) == 0 && syncstore_error_http_status(NULL) == 0);
    EXPECT(syncstore_error_retryable(NULL) == 0 && syncstore_error_retry_after_ms(NULL) == -1);
    EXPECT(syncstore_error_ref(NULL, &op) == 0 && op.bytes[0] == 0);
    EXPECT(syncstore_error_ref(NULL, NULL) == 0);
    EXPECT(syncstore_error_collection(NULL) == NULL && syncstore_error_key(NULL) == NULL);
    syncstore_error_free(NULL);
}

static void texts(void)
{
    syncstore_text none = {NULL, 0};

    syncstore_text_free(NULL);
    syncstore_text_free(&none);
    EXPECT(syncstore_names_count(NULL) == 0 && syncstore_names_at(NULL, 0) == NULL);
    syncstore_names_free(NULL);
}

static void refs(void)
{
    syncstore_ref op;
    char text[SYNCSTORE_REF_TEXT_SIZE];

    memset(&op, 0, sizeof op);
    text[0] = 'x';
    MISUSE("op is NULL", syncstore_ref_to_text(NULL, text, sizeof text, &error));
    EXPECT_TEXT("", text);
    MISUSE("text is", syncstore_ref_to_text(&op, NULL, sizeof text, &error));
    text[0] = 'x';
    MISUSE("text is", syncstore_ref_to_text(&op, text, 0, &error));
    EXPECT(text[0] == 'x');
    MISUSE("text is", syncstore_ref_to_text(&op, text, sizeof text - 1, &error));
    EXPECT_TEXT("", text);
    MISUSE("text is NULL", syncstore_ref_from_text(NULL, &op, &error));
    MISUSE("op is NULL", syncstore_ref_from_text("00000000-0000-7000-8000-000000000000", NULL, &error));
    MISUSE("text is not a ref", syncstore_ref_from_text("ref", &op, &error));
    MISUSE("text is not UTF-8", syncstore_ref_from_text(BAD, &op, &error));
}

/* More than this version of the header knows. */
typedef struct later_options {
    syncstore_options known;
    uint64_t further;
} later_options;

static void opening(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    later_options later;
    syncstore *store = (syncstore *)&options;

    MISUSE("path is NULL", syncstore_open(NULL, NULL, &store, &error));
    EXPECT(store == NULL);
    MISUSE("store is NULL", syncstore_open("misuse.db", NULL, NULL, &error));
    EXPECT(syncstore_open(NULL, NULL, NULL, NULL) == SYNCSTORE_MISUSE);
    MISUSE("path is not UTF-8", syncstore_open(BAD, NULL, &store, &error));

    options.struct_size = 0;
    MISUSE("struct_size", syncstore_open("misuse.db", &options, &store, &error));
    options.struct_size = sizeof options - 1;
    MISUSE("struct_size", syncstore_open("misuse.db", &options, &store, &error));
    options.struct_size = (size_t)-1;
    MISUSE("struct_size", syncstore_open("misuse.db", &options, &store, &error));
    options.struct_size = sizeof options;
    options.durability = 77;
    MISUSE("options.durability", syncstore_open("misuse.db", &options, &store, &error));
    options.durability = 0;
    options.no_prefetch = 2;
    MISUSE("options.no_prefetch", syncstore_open("misuse.db", &options, &store, &error));
    options.no_prefetch = 0;
    options.busy_timeout_ms = -1;
    MISUSE("options.busy_timeout_ms", syncstore_open("misuse.db", &options, &store, &error));
    options.busy_timeout_ms = 0;
    options.retention_outcomes = -2;
    MISUSE("options.retention_outcomes", syncstore_open("misuse.db", &options, &store, &error));
    options.retention_outcomes = 0;
    options.keep = "notes:a:b";
    MISUSE("options.keep", syncstore_open("misuse.db", &options, &store, &error));
    options.keep = BAD;
    MISUSE("options.keep is not UTF-8", syncstore_open("misuse.db", &options, &store, &error));
    options.keep = "notes";
    options.keep_everything = 1;
    MISUSE("options.keep", syncstore_open("misuse.db", &options, &store, &error));
    options.keep = NULL;
    options.vfs = BAD;
    MISUSE("options.vfs", syncstore_open("misuse.db", &options, &store, &error));
    options.vfs = NULL;

    memset(&later, 0, sizeof later);
    later.known = options;
    later.known.struct_size = sizeof later;
    later.further = 1;
    MISUSE("does not know", syncstore_open("misuse.db", &later.known, &store, &error));
    later.further = 0;
    EXPECT_OK(syncstore_open("misuse.db", &later.known, &store, &error));
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
}

static void store_of_null(void)
{
    syncstore_ref op;
    syncstore_text text = {(char *)&op, 1};
    syncstore_names *names = (syncstore_names *)&op;
    syncstore_outcome *outcome = (syncstore_outcome *)&op;
    uint64_t count = 1;

    MISUSE("store is NULL", syncstore_close(NULL, NULL, &error));
    MISUSE("store is NULL", syncstore_client_id(NULL, &text, &error));
    EXPECT(text.data == NULL && text.len == 0);
    MISUSE("store is NULL", syncstore_set(NULL, "c", "k", "1", 1, &op, &error));
    MISUSE("store is NULL", syncstore_patch(NULL, "c", "k", "[]", 2, &op, &error));
    MISUSE("store is NULL", syncstore_delete(NULL, "c", "k", &op, &error));
    MISUSE("store is NULL", syncstore_get(NULL, "c", "k", &text, &error));
    MISUSE("store is NULL", syncstore_collections(NULL, &names, &error));
    EXPECT(names == NULL);
    MISUSE("store is NULL", syncstore_pending_count(NULL, &count, &error));
    EXPECT(count == 0);
    MISUSE("store is NULL", syncstore_outcome_of(NULL, &op, &outcome, &error));
    EXPECT(outcome == NULL);
    syncstore_free(NULL);
}

static void outcomes_of_null(void)
{
    syncstore_ref op;

    EXPECT(syncstore_outcome_kind_of(NULL) == 0 && syncstore_outcome_seq(NULL) == 0);
    EXPECT(syncstore_outcome_ref(NULL, &op) == 0 && syncstore_outcome_ref(NULL, NULL) == 0);
    EXPECT(syncstore_outcome_code(NULL) == NULL && syncstore_outcome_message(NULL) == NULL);
    EXPECT(syncstore_outcome_detail(NULL) == NULL);
    syncstore_outcome_free(NULL);
}

static void other_parameters(syncstore *store)
{
    syncstore_text text;
    syncstore_ref op;

    memset(&op, 0, sizeof op);
    MISUSE("client_id is NULL", syncstore_client_id(store, NULL, &error));

    MISUSE("collection is NULL", syncstore_set(store, NULL, "k", "1", 1, NULL, &error));
    MISUSE("key is NULL", syncstore_set(store, "c", NULL, "1", 1, NULL, &error));
    MISUSE("json is NULL", syncstore_set(store, "c", "k", NULL, 1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_set(store, "c", "k", NULL, 0, NULL, &error));
    MISUSE("json is longer", syncstore_set(store, "c", "k", "1", (size_t)-1, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_set(store, BAD, "k", "1", 1, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_set(store, "c", BAD, "1", 1, NULL, &error));
    MISUSE("json is not UTF-8", syncstore_set(store, "c", "k", BAD, 2, NULL, &error));

    MISUSE("collection is NULL", syncstore_patch(store, NULL, "k", "[]", 2, NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_patch(store, BAD, "k", "[]", 2, NULL, &error));
    MISUSE("key is NULL", syncstore_patch(store, "c", NULL, "[]", 2, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_patch(store, "c", BAD, "[]", 2, NULL, &error));
    MISUSE("patch is NULL", syncstore_patch(store, "c", "k", NULL, 2, NULL, &error));
    MISUSE("patch is not UTF-8", syncstore_patch(store, "c", "k", BAD, 2, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_patch(store, "c", "k", NULL, 0, NULL, &error));

    MISUSE("collection is NULL", syncstore_delete(store, NULL, "k", NULL, &error));
    MISUSE("collection is not UTF-8", syncstore_delete(store, BAD, "k", NULL, &error));
    MISUSE("key is NULL", syncstore_delete(store, "c", NULL, NULL, &error));
    MISUSE("key is not UTF-8", syncstore_delete(store, "c", BAD, NULL, &error));

    MISUSE("collection is NULL", syncstore_get(store, NULL, "k", &text, &error));
    MISUSE("collection is not UTF-8", syncstore_get(store, BAD, "k", &text, &error));
    MISUSE("key is NULL", syncstore_get(store, "c", NULL, &text, &error));
    MISUSE("key is not UTF-8", syncstore_get(store, "c", BAD, &text, &error));
    MISUSE("json is NULL", syncstore_get(store, "c", "k", NULL, &error));

    MISUSE("names is NULL", syncstore_collections(store, NULL, &error));
    MISUSE("count is NULL", syncstore_pending_count(store, NULL, &error));
    MISUSE("outcome is NULL", syncstore_outcome_of(store, &op, NULL, &error));
    {
        syncstore_outcome *outcome;
        MISUSE("op is NULL", syncstore_outcome_of(store, NULL, &outcome, &error));
    }
    /* Nothing of all this was written. */
    {
        uint64_t count;
        EXPECT_OK(syncstore_pending_count(store, &count, &error));
        EXPECT(count == 0);
    }
}

static void after_closing(void)
{
    syncstore *store;
    syncstore_ref op;
    syncstore_text text;
    syncstore_names *names;
    syncstore_outcome *outcome;
    uint64_t count;

    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    EXPECT_OK(syncstore_set(store, "c", "k", "1", 1, &op, &error));
    EXPECT_OK(syncstore_outcome_of(store, &op, &outcome, &error));
    EXPECT_OK(syncstore_collections(store, &names, &error));
    EXPECT_OK(syncstore_close(store, NULL, &error));

    CLOSED(syncstore_close(store, NULL, &error));
    CLOSED(syncstore_client_id(store, &text, &error));
    CLOSED(syncstore_set(store, "c", "k", "2", 1, NULL, &error));
    CLOSED(syncstore_patch(store, "c", "k", "[]", 2, NULL, &error));
    CLOSED(syncstore_delete(store, "c", "k", NULL, &error));
    CLOSED(syncstore_get(store, "c", "k", &text, &error));
    EXPECT(text.data == NULL);
    {
        syncstore_names *none;
        syncstore_outcome *nothing;
        CLOSED(syncstore_collections(store, &none, &error));
        CLOSED(syncstore_outcome_of(store, &op, &nothing, &error));
        EXPECT(none == NULL && nothing == NULL);
    }
    CLOSED(syncstore_pending_count(store, &count, &error));

    /* What was given out before stays, also without the store. */
    syncstore_free(store);
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_QUEUED);
    EXPECT_TEXT("c", syncstore_names_at(names, 0));
    EXPECT(syncstore_live_handles() == 2);
    syncstore_names_free(names);
    syncstore_outcome_free(outcome);
}

int main(void)
{
    syncstore *store;

    library_and_status();
    errors_of_null();
    texts();
    refs();
    opening();
    store_of_null();
    outcomes_of_null();
    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    other_parameters(store);
    syncstore_free(store);
    after_closing();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
