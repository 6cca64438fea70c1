/* Items, from opening a store to closing it: written, read, changed, removed, and what became of each operation.
   tests/c/abi.rs compiles it with earlier headers too: what they do not have is shown in other programs. */
#include "expect.h"

static const char JSON[] = "{\"title\": \"Milk\", \"done\": false}";
static const char PATCH[] = "[{\"op\": \"replace\", \"path\": \"/done\", \"value\": true}]";

static syncstore_error *error = NULL;

static void write_and_read(syncstore *store)
{
    syncstore_ref made, changed, gone;
    syncstore_text json;
    syncstore_names *names;
    uint64_t pending;

    EXPECT_OK(syncstore_set(store, "notes", "n1", JSON, sizeof JSON - 1, &made, &error));
    EXPECT_OK(syncstore_get(store, "notes", "n1", &json, &error));
    EXPECT(json.len == sizeof JSON - 1);
    EXPECT_TEXT(JSON, json.data);
    syncstore_text_free(&json);
    EXPECT(json.data == NULL && json.len == 0);

    EXPECT_OK(syncstore_patch(store, "notes", "n1", PATCH, sizeof PATCH - 1, &changed, &error));
    EXPECT(memcmp(made.bytes, changed.bytes, sizeof made.bytes) < 0);
    EXPECT_OK(syncstore_get(store, "notes", "n1", &json, &error));
    EXPECT(strstr(json.data, "true") != NULL);
    syncstore_text_free(&json);

    /* The patch became part of the set, which was not sent either. */
    EXPECT_OK(syncstore_pending_count(store, &pending, &error));
    EXPECT(pending == 1);

    EXPECT_OK(syncstore_set(store, "lists", "l1", "[]", 2, NULL, &error));
    EXPECT_OK(syncstore_collections(store, &names, &error));
    EXPECT(syncstore_names_count(names) == 2);
    EXPECT_TEXT("lists", syncstore_names_at(names, 0));
    EXPECT_TEXT("notes", syncstore_names_at(names, 1));
    EXPECT(syncstore_names_at(names, 2) == NULL);
    syncstore_names_free(names);

    EXPECT_OK(syncstore_delete(store, "notes", "n1", &gone, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_get(store, "notes", "n1", &json, &error));
    EXPECT(json.data == NULL && json.len == 0);
}

static void ask_what_became(syncstore *store)
{
    syncstore_ref made, changed, other;
    syncstore_outcome *outcome;
    char text[SYNCSTORE_REF_TEXT_SIZE];

    EXPECT_OK(syncstore_set(store, "notes", "n2", "1", 1, &made, &error));
    EXPECT_OK(syncstore_set(store, "notes", "n2", "2", 1, &changed, &error));

    EXPECT_OK(syncstore_outcome_of(store, &made, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_QUEUED);
    EXPECT(syncstore_outcome_seq(outcome) == 0 && syncstore_outcome_ref(outcome, NULL) == 0);
    EXPECT(syncstore_outcome_code(outcome) == NULL && syncstore_outcome_message(outcome) == NULL);
    EXPECT(syncstore_outcome_detail(outcome) == NULL);
    syncstore_outcome_free(outcome);

    EXPECT_OK(syncstore_outcome_of(store, &changed, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_FOLDED_INTO);
    EXPECT(syncstore_outcome_ref(outcome, &other) == 1);
    EXPECT(memcmp(other.bytes, made.bytes, sizeof made.bytes) == 0);
    syncstore_outcome_free(outcome);

    EXPECT_OK(syncstore_ref_to_text(&made, text, sizeof text, &error));
    EXPECT(strlen(text) == SYNCSTORE_REF_TEXT_SIZE - 1);
    EXPECT_OK(syncstore_ref_from_text(text, &other, &error));
    EXPECT(memcmp(other.bytes, made.bytes, sizeof made.bytes) == 0);

    memset(&other, 0, sizeof other);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_outcome_of(store, &other, &outcome, &error));
    EXPECT(outcome == NULL);
}

static void learn_why_a_call_failed(syncstore *store)
{
    syncstore_ref op;

    memset(&op, 0xff, sizeof op);
    EXPECT_STATUS(SYNCSTORE_NO_ITEM, syncstore_patch(store, "notes", "none", "[]", 2, &op, &error));
    EXPECT(op.bytes[0] == 0 && op.bytes[15] == 0);
    EXPECT(syncstore_error_code(error) == SYNCSTORE_NO_ITEM);
    EXPECT_TEXT("notes", syncstore_error_collection(error));
    EXPECT_TEXT("none", syncstore_error_key(error));
    EXPECT(syncstore_error_ref(error, &op) == 0 && syncstore_error_retryable(error) == 0);
    EXPECT(syncstore_error_sqlite_code(error) == 0 && syncstore_error_http_status(error) == 0);
    EXPECT(syncstore_error_retry_after_ms(error) == -1);
    syncstore_error_free(error);
    error = NULL;

    EXPECT_FAILS(SYNCSTORE_JSON, "", syncstore_set(store, "notes", "n3", "{", 1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_LIMIT, "key is empty", syncstore_set(store, "notes", "", "1", 1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_PATCH_FAILED, "n2", syncstore_patch(store, "notes", "n2", PATCH, sizeof PATCH - 1, NULL, &error));
    /* Whoever does not want to know more gives no place for it. */
    EXPECT(syncstore_set(store, "notes", "n3", "{", 1, NULL, NULL) == SYNCSTORE_JSON);
}

int main(void)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *store;
    syncstore_text client, again, json;
    syncstore_stopped how;

#ifndef EARLIER_HEADER
    EXPECT_TEXT(SYNCSTORE_VERSION, syncstore_version());
#endif
    EXPECT_TEXT("SYNCSTORE_NOT_FOUND", syncstore_status_name(SYNCSTORE_NOT_FOUND));
    EXPECT_TEXT("SYNCSTORE_UNKNOWN", syncstore_status_name(-12345));

    options.durability = SYNCSTORE_DURABILITY_FULL;
    options.retention_age_ms = -1;
    options.keep = "notes,lists:l";
    EXPECT_OK(syncstore_open("items.db", &options, &store, &error));
    EXPECT_OK(syncstore_client_id(store, &client, &error));
    EXPECT(client.len == 36);
    write_and_read(store);
    ask_what_became(store);
    learn_why_a_call_failed(store);
    EXPECT_FAILS(SYNCSTORE_NOT_KEPT, "not among", syncstore_set(store, "lists", "other", "1", 1, NULL, &error));
    EXPECT_OK(syncstore_close(store, &how, &error));
    EXPECT(how == SYNCSTORE_STOPPED_ENTIRELY || how == SYNCSTORE_STOPPED_SOON);
    syncstore_free(store);

    /* All of it is in the file. */
    EXPECT_OK(syncstore_open("items.db", NULL, &store, &error));
    EXPECT_OK(syncstore_client_id(store, &again, &error));
    EXPECT_TEXT(client.data, again.data);
    EXPECT_OK(syncstore_get(store, "notes", "n2", &json, &error));
    EXPECT_TEXT("2", json.data);
    syncstore_text_free(&json);
    syncstore_text_free(&client);
    syncstore_text_free(&again);
    syncstore_free(store);

    EXPECT_STATUS(SYNCSTORE_STORAGE, syncstore_open("no/such/directory/s.db", NULL, &store, &error));
    EXPECT(store == NULL);
    syncstore_error_free(error);
    error = NULL;

    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
