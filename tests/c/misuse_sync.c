/* The functions for syncing with NULL for each of their pointers, bad UTF-8, sizes and constants that are none, and stores that are closed. Nothing here
 * reaches a server, or leaks. */
#include "expect.h"

#define MISUSE(words, call) EXPECT_FAILS(SYNCSTORE_MISUSE, words, call)
#define CLOSED(call) EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", call)

static const char BAD[] = "\xc3\x28";
static const char NOWHERE[] = "http://127.0.0.1:1";

static syncstore_error *error = NULL;
static int destroyed = 0;

static void destroy(void *user_data)
{
    (void)user_data;
    destroyed++;
}

static void never(void *user_data, int32_t refresh, syncstore_credential *credential)
{
    (void)user_data;
    (void)refresh;
    (void)credential;
    EXPECT(!"nothing asks for a credential");
}

static void cancelling(void)
{
    syncstore_cancel *cancel = syncstore_cancel_new();

    EXPECT(cancel != NULL);
    syncstore_cancel_cancel(NULL);
    EXPECT(syncstore_cancel_is_cancelled(NULL) == 0 && syncstore_cancel_is_cancelled(cancel) == 0);
    syncstore_cancel_cancel(cancel);
    syncstore_cancel_cancel(cancel);
    EXPECT(syncstore_cancel_is_cancelled(cancel) == 1);
    syncstore_cancel_free(NULL);
    syncstore_cancel_free(cancel);
}

static void credentials(void)
{
    syncstore_credentials *made;

    MISUSE("callback is NULL", syncstore_credentials_new(NULL, NULL, destroy, &made, &error));
    EXPECT(made == NULL && destroyed == 1);
    MISUSE("credentials is NULL", syncstore_credentials_new(never, NULL, destroy, NULL, &error));
    EXPECT(destroyed == 2);
    EXPECT_OK(syncstore_credentials_new(never, NULL, NULL, &made, &error));
    syncstore_credentials_free(made);
    syncstore_credentials_free(NULL);

    MISUSE("credential is NULL", syncstore_credential_bearer(NULL, "t", &error));
    MISUSE("credential is NULL", syncstore_credential_hmac(NULL, "k", "u", "s", &error));
    MISUSE("credential is NULL", syncstore_credential_none(NULL, &error));
    MISUSE("credential is NULL", syncstore_credential_fail(NULL, "why", &error));
}

/* Within a callback each of its parameters is checked, too. */
static void misusing(void *user_data, int32_t refresh, syncstore_credential *credential)
{
    (void)user_data;
    (void)refresh;
    MISUSE("token is NULL", syncstore_credential_bearer(credential, NULL, &error));
    MISUSE("token is not UTF-8", syncstore_credential_bearer(credential, BAD, &error));
    MISUSE("key is NULL", syncstore_credential_hmac(credential, NULL, "u", "s", &error));
    MISUSE("key is not UTF-8", syncstore_credential_hmac(credential, BAD, "u", "s", &error));
    MISUSE("user is NULL", syncstore_credential_hmac(credential, "k", NULL, "s", &error));
    MISUSE("user is not UTF-8", syncstore_credential_hmac(credential, "k", BAD, "s", &error));
    MISUSE("secret is NULL", syncstore_credential_hmac(credential, "k", "u", NULL, &error));
    MISUSE("secret is not UTF-8", syncstore_credential_hmac(credential, "k", "u", BAD, &error));
    MISUSE("message is NULL", syncstore_credential_fail(credential, NULL, &error));
    MISUSE("message is not UTF-8", syncstore_credential_fail(credential, BAD, &error));
    EXPECT_OK(syncstore_credential_fail(credential, "all the same", &error));
}

static void http_options(void)
{
    const char *odd[] = {"X-Name", NULL};
    const char *reserved[] = {"Host", "hunter2", NULL};
    const char *many[203];
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_credentials *asking;
    syncstore_wire *wire = NULL;
    int place;

#define WIRE(database) syncstore_wire_http(NOWHERE, database, &options, &wire, &error)
    MISUSE("url is NULL", syncstore_wire_http(NULL, "notes", NULL, &wire, &error));
    MISUSE("url is not UTF-8", syncstore_wire_http(BAD, "notes", NULL, &wire, &error));
    MISUSE("database is NULL", syncstore_wire_http(NOWHERE, NULL, NULL, &wire, &error));
    MISUSE("database is not UTF-8", syncstore_wire_http(NOWHERE, BAD, NULL, &wire, &error));
    MISUSE("wire is NULL", syncstore_wire_http(NOWHERE, "notes", NULL, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_SETUP, "database", WIRE("a/b"));
    options.struct_size = 3;
    MISUSE("struct_size", WIRE("notes"));
    options.struct_size = sizeof options;
    options.format = 77;
    MISUSE("options.format", WIRE("notes"));
    options.format = SYNCSTORE_FORMAT_PROTOBUF;
    EXPECT_FAILS(SYNCSTORE_SETUP, "options.format", WIRE("notes"));
    options.format = 0;
    options.compression = -1;
    MISUSE("options.compression", WIRE("notes"));
    options.compression = 0;
    options.connect_timeout_ms = -1;
    MISUSE("options.connect_timeout_ms", WIRE("notes"));
    options.connect_timeout_ms = 0;
    options.call_timeout_ms = -1;
    MISUSE("options.call_timeout_ms", WIRE("notes"));
    options.call_timeout_ms = 0;
    options.headers = odd;
    MISUSE("without a value", WIRE("notes"));
    options.headers = reserved;
    EXPECT_STATUS(SYNCSTORE_SETUP, WIRE("notes"));
    EXPECT(strstr(syncstore_error_message(error), "hunter2") == NULL);
    syncstore_error_free(error);
    error = NULL;
    for (place = 0; place < 202; place++) {
        many[place] = "x";
    }
    many[202] = NULL;
    options.headers = many;
    MISUSE("more than 100", WIRE("notes"));
    options.headers = NULL;
    options.ca_file = "no/such/file.pem";
    EXPECT_FAILS(SYNCSTORE_SETUP, "ca_file", WIRE("notes"));
    options.ca_file = BAD;
    MISUSE("options.ca_file", WIRE("notes"));
    options.ca_file = NULL;
    options.proxy = "hunter2";
    options.user_agent = "a\nb";
    EXPECT_FAILS(SYNCSTORE_SETUP, "user_agent", WIRE("notes"));
    options.user_agent = NULL;
    options.proxy = NULL;

    options.hmac_key = "k";
    MISUSE("not all three of hmac_key, hmac_user and hmac_secret", WIRE("notes"));
    options.bearer_token = "t";
    MISUSE("more than one of bearer_token, hmac_key and credentials", WIRE("notes"));
    options.bearer_token = BAD;
    MISUSE("options.bearer_token", WIRE("notes"));
    options.bearer_token = "t";
    options.hmac_key = NULL;
    EXPECT_OK(syncstore_credentials_new(misusing, NULL, NULL, &asking, &error));
    options.credentials = asking;
    MISUSE("more than one of bearer_token, hmac_key and credentials", WIRE("notes"));
    options.bearer_token = NULL;
    EXPECT_OK(WIRE("notes"));
    syncstore_credentials_free(asking);
    {
        syncstore_text json;
        EXPECT_STATUS(SYNCSTORE_UNAUTHENTICATED, syncstore_wire_info(wire, &json, &error));
        EXPECT(json.data == NULL && strstr(syncstore_error_message(error), "all the same") != NULL);
        syncstore_error_free(error);
        error = NULL;
    }
    syncstore_wire_free(wire);
}

static void wires(syncstore_wire *wire)
{
    syncstore_traffic traffic = {1, 1, 1};
    syncstore_text json;

    MISUSE("wire is NULL", syncstore_wire_traffic(NULL, &traffic, &error));
    EXPECT(traffic.sent == 0 && traffic.received == 0 && traffic.round_trips == 0);
    MISUSE("traffic is NULL", syncstore_wire_traffic(wire, NULL, &error));
    MISUSE("wire is NULL", syncstore_wire_info(NULL, &json, &error));
    MISUSE("json is NULL", syncstore_wire_info(wire, NULL, &error));
    syncstore_wire_free(NULL);
}

static void reports(void)
{
    syncstore_report *report = (syncstore_report *)&error;

    EXPECT(syncstore_report_pushed(NULL) == 0 && syncstore_report_accepted(NULL) == 0);
    EXPECT(syncstore_report_rejected(NULL) == 0 && syncstore_report_pulled(NULL) == 0);
    EXPECT(syncstore_report_skipped(NULL) == 0 && !syncstore_report_full(NULL));
    EXPECT(syncstore_report_loaded(NULL) == 0 && syncstore_report_undone(NULL) == 0);
    EXPECT(syncstore_report_position(NULL) == 0 && syncstore_report_bootstrapped(NULL) == 0);
    EXPECT(syncstore_report_elapsed_ms(NULL) == 0);
    EXPECT_TEXT("", syncstore_report_json(NULL));
    syncstore_report_free(NULL);
    EXPECT(syncstore_error_report(NULL, &report) == 0 && report == NULL);
    EXPECT(syncstore_error_report(NULL, NULL) == 0);
}

static void syncing(syncstore *store, syncstore_wire *wire)
{
    syncstore_report *report = (syncstore_report *)&error;
    uint64_t place = 1;

    MISUSE("store is NULL", syncstore_sync(NULL, wire, NULL, NULL, NULL, &report, &error));
    EXPECT(report == NULL);
    MISUSE("wire is NULL", syncstore_sync(store, NULL, NULL, NULL, NULL, NULL, &error));
    MISUSE("store is NULL", syncstore_push(NULL, wire, NULL, NULL, &error));
    MISUSE("wire is NULL", syncstore_push(store, NULL, NULL, NULL, &error));
    MISUSE("store is NULL", syncstore_pull(NULL, wire, NULL, NULL, NULL, NULL, &error));
    MISUSE("wire is NULL", syncstore_pull(store, NULL, NULL, NULL, NULL, NULL, &error));
    EXPECT(syncstore_sync(store, NULL, NULL, NULL, NULL, NULL, NULL) == SYNCSTORE_MISUSE);
    MISUSE("store is NULL", syncstore_position(NULL, &place, &error));
    EXPECT(place == 0);
    MISUSE("seq is NULL", syncstore_position(store, NULL, &error));
    place = 1;
    MISUSE("store is NULL", syncstore_bootstrap_progress(NULL, &place, NULL, &error));
    EXPECT(place == 0);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_bootstrap_progress(store, NULL, NULL, &error));
}

static void in_the_background(syncstore *store, syncstore_wire *wire)
{
    syncstore_sync_policy policy = SYNCSTORE_SYNC_POLICY_INIT;
    syncstore_sync_status *status = (syncstore_sync_status *)&error;
    syncstore_outcome *outcome;
    syncstore_ref op;

    memset(&op, 0, sizeof op);
    MISUSE("store is NULL", syncstore_start(NULL, wire, NULL, &error));
    MISUSE("wire is NULL", syncstore_start(store, NULL, NULL, &error));
    policy.struct_size--;
    MISUSE("struct_size", syncstore_start(store, wire, &policy, &error));
    policy.struct_size++;
#define POLICY(member)                                                                     \
    policy.member = -2;                                                                    \
    MISUSE("policy." #member, syncstore_start(store, wire, &policy, &error));              \
    policy.member = 0
    POLICY(debounce_ms);
    POLICY(longest_debounce_ms);
    POLICY(poll_ms);
    POLICY(pull_every_ms);
    POLICY(first_wait_ms);
    POLICY(longest_wait_ms);
    POLICY(backstop_ms);
    POLICY(look_every_ms);

    MISUSE("store is NULL", syncstore_stop(NULL, 0, NULL, &error));
    MISUSE("deadline_ms", syncstore_stop(store, -1, NULL, &error));
    MISUSE("store is NULL", syncstore_pause(NULL, &error));
    MISUSE("store is NULL", syncstore_resume(NULL, &error));
    MISUSE("store is NULL", syncstore_sync_now(NULL, &error));
    MISUSE("store is NULL", syncstore_credential_changed(NULL, &error));
    /* Where nothing runs, there is nothing to tell it. */
    EXPECT_OK(syncstore_pause(store, &error));
    EXPECT_OK(syncstore_resume(store, &error));
    EXPECT_OK(syncstore_sync_now(store, &error));
    EXPECT_OK(syncstore_credential_changed(store, &error));

    MISUSE("store is NULL", syncstore_sync_status_of(NULL, &status, &error));
    EXPECT(status == NULL);
    MISUSE("status is NULL", syncstore_sync_status_of(store, NULL, &error));
    EXPECT(syncstore_sync_status_state(NULL) == 0 && syncstore_sync_status_next_try_ms(NULL) == -1);
    EXPECT(syncstore_sync_status_loaded(NULL) == 0 && syncstore_sync_status_total(NULL) == 0);
    EXPECT(syncstore_sync_status_error(NULL) == NULL);
    syncstore_sync_status_free(NULL);

    MISUSE("store is NULL", syncstore_wait(NULL, &op, 0, &outcome, &error));
    MISUSE("op is NULL", syncstore_wait(store, NULL, 0, &outcome, &error));
    MISUSE("at_most_ms is below -1", syncstore_wait(store, &op, -2, &outcome, &error));
    MISUSE("outcome is NULL", syncstore_wait(store, &op, 0, NULL, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_wait(store, &op, -1, &outcome, &error));
}

static void after_closing(syncstore *store, syncstore_wire *wire)
{
    syncstore_sync_status *status;
    syncstore_outcome *outcome;
    syncstore_ref op;
    uint64_t place;

    memset(&op, 0, sizeof op);
    EXPECT_OK(syncstore_close(store, NULL, &error));
    CLOSED(syncstore_sync(store, wire, NULL, NULL, NULL, NULL, &error));
    CLOSED(syncstore_push(store, wire, NULL, NULL, &error));
    CLOSED(syncstore_pull(store, wire, NULL, NULL, NULL, NULL, &error));
    CLOSED(syncstore_position(store, &place, &error));
    CLOSED(syncstore_bootstrap_progress(store, &place, NULL, &error));
    CLOSED(syncstore_start(store, wire, NULL, &error));
    CLOSED(syncstore_stop(store, 0, NULL, &error));
    CLOSED(syncstore_pause(store, &error));
    CLOSED(syncstore_resume(store, &error));
    CLOSED(syncstore_sync_now(store, &error));
    CLOSED(syncstore_credential_changed(store, &error));
    CLOSED(syncstore_sync_status_of(store, &status, &error));
    CLOSED(syncstore_wait(store, &op, 0, &outcome, &error));
}

int main(void)
{
    syncstore *store;
    syncstore_wire *wire;

    cancelling();
    credentials();
    http_options();
    EXPECT_OK(syncstore_open("misuse.db", NULL, &store, &error));
    EXPECT_OK(syncstore_wire_http(NOWHERE, "notes", NULL, &wire, &error));
    wires(wire);
    reports();
    syncing(store, wire);
    in_the_background(store, wire);
    after_closing(store, wire);
    syncstore_free(store);
    syncstore_wire_free(wire);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
