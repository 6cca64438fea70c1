/* Syncing with a server: its URL, a token, a key and the key's secret are the arguments. */
#define _POSIX_C_SOURCE 200809L
#include "expect.h"
#include "silent.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static const char *url, *token, *key, *secret;
static syncstore_error *error = NULL;

static void nap(void)
{
    struct timespec wait = {0, 5 * 1000 * 1000};
    nanosleep(&wait, NULL);
}

static syncstore *opened(const char *path)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *store;

    options.retry_attempts = 1;
    EXPECT_OK(syncstore_open(path, &options, &store, &error));
    return store;
}

static syncstore_wire *with_token(const char *text)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_wire *wire;

    options.bearer_token = text;
    EXPECT_OK(syncstore_wire_http(url, "notes", &options, &wire, &error));
    return wire;
}

static void set(syncstore *store, const char *collection, const char *name, const char *json, syncstore_ref *op)
{
    EXPECT_OK(syncstore_set(store, collection, name, json, strlen(json), op, &error));
}

static void expect_item(syncstore *store, const char *collection, const char *name, const char *json)
{
    syncstore_text text;

    EXPECT_OK(syncstore_get(store, collection, name, &text, &error));
    EXPECT_TEXT(json, text.data);
    syncstore_text_free(&text);
}

static void count(void *user_data, uint64_t loaded, uint64_t total)
{
    EXPECT(loaded <= total);
    *(uint64_t *)user_data = loaded;
}

static void two_replicas_become_equal(void)
{
    const char *headers[] = {"X-Device", "laptop", NULL};
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore *a = opened("a.db"), *b = opened("b.db");
    syncstore_wire *one = with_token(token), *other;
    syncstore_report *report;
    syncstore_outcome *outcome;
    syncstore_traffic traffic;
    syncstore_text info;
    syncstore_ref op, stale;
    uint64_t loaded = 0;

    EXPECT_OK(syncstore_wire_info(one, &info, &error));
    EXPECT(strstr(info.data, "\"limits\"") != NULL);
    syncstore_text_free(&info);

    set(a, "notes", "n1", "\"Milk\"", &op);
    set(a, "strict", "s1", "1", NULL);
    EXPECT_OK(syncstore_sync(a, one, NULL, NULL, NULL, &report, &error));
    EXPECT(syncstore_report_pushed(report) == 2 && syncstore_report_accepted(report) == 2);
    EXPECT(syncstore_report_rejected(report) == 0 && syncstore_report_undone(report) == 0);
    EXPECT(syncstore_report_skipped(report) == 0 && !syncstore_report_full(report));
    EXPECT(syncstore_report_pulled(report) == 2 && syncstore_report_position(report) == 2);
    EXPECT(syncstore_report_bootstrapped(report) == SYNCSTORE_BOOTSTRAP_FRESH);
    EXPECT(syncstore_report_elapsed_ms(report) < 120000);
    EXPECT(strstr(syncstore_report_json(report), "\"bootstrapped\":\"fresh\"") != NULL);
    syncstore_report_free(report);

    /* A key that signs; and what all the options are. */
    options.hmac_key = key;
    options.hmac_user = "ada";
    options.hmac_secret = secret;
    options.format = SYNCSTORE_FORMAT_MESSAGE_PACK;
    options.compression = SYNCSTORE_COMPRESSION_ON;
    options.compress_above = 1;
    options.headers = headers;
    options.user_agent = "notes/1.0";
    options.response_limit = options.response_wire_limit = 1 << 20;
    options.connect_timeout_ms = options.call_timeout_ms = 30000;
    EXPECT_OK(syncstore_wire_http(url, "notes", &options, &other, &error));
    EXPECT_OK(syncstore_pull(b, other, NULL, count, &loaded, &report, &error));
    EXPECT(loaded == 2 && syncstore_report_loaded(report) == 2 && syncstore_report_pushed(report) == 0);
    syncstore_report_free(report);
    expect_item(b, "notes", "n1", "\"Milk\"");

    /* A push alone: the outcome is known, and it is pulled later. */
    set(b, "notes", "n1", "\"Cream\"", &op);
    EXPECT_OK(syncstore_push(b, other, NULL, &report, &error));
    EXPECT(syncstore_report_pushed(report) == 1 && syncstore_report_pulled(report) == 0);
    syncstore_report_free(report);
    EXPECT_OK(syncstore_outcome_of(b, &op, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_ACCEPTED);
    syncstore_outcome_free(outcome);

    /* Refused: it was made on what another has changed since. */
    set(b, "strict", "s1", "2", NULL);
    set(a, "strict", "s1", "3", &stale);
    EXPECT_OK(syncstore_sync(b, other, NULL, NULL, NULL, NULL, &error));
    EXPECT_OK(syncstore_sync(a, one, NULL, NULL, NULL, &report, &error));
    EXPECT(syncstore_report_rejected(report) == 1);
    EXPECT(syncstore_report_bootstrapped(report) == SYNCSTORE_BOOTSTRAP_NONE);
    syncstore_report_free(report);
    EXPECT_OK(syncstore_wait(a, &stale, -1, &outcome, &error));
    EXPECT_TEXT("stale", syncstore_outcome_code(outcome));
    syncstore_outcome_free(outcome);
    expect_item(a, "strict", "s1", "2");
    expect_item(a, "notes", "n1", "\"Cream\"");

    EXPECT_OK(syncstore_wire_traffic(one, &traffic, &error));
    EXPECT(traffic.sent > 0 && traffic.received > 0 && traffic.round_trips > 3);
    syncstore_free(a);
    syncstore_free(b);
    syncstore_wire_free(one);
    syncstore_wire_free(other);
}

/* What a callback for credentials is to do, and what it did; under the lock, as a background sync calls it too. */
static pthread_mutex_t asking_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct asked {
    int bearer;
    int refreshed;
    int times;
    int destroyed;
} asked;

static void give(void *user_data, int32_t refresh, syncstore_credential *credential)
{
    asked *asked = user_data;
    syncstore_error *refused = NULL;
    int bearer;

    pthread_mutex_lock(&asking_lock);
    bearer = asked->bearer;
    asked->times++;
    asked->refreshed += refresh;
    pthread_mutex_unlock(&asking_lock);
    switch (bearer) {
    case 0: /* the token, once the one at hand was refused */
        EXPECT(syncstore_credential_bearer(credential, refresh ? token : "hunter2", NULL) == SYNCSTORE_OK);
        EXPECT(syncstore_credential_bearer(credential, token, &refused) == SYNCSTORE_MISUSE);
        EXPECT(strstr(syncstore_error_message(refused), "before") != NULL);
        syncstore_error_free(refused);
        break;
    case 1: /* never a good one */
        EXPECT(syncstore_credential_hmac(credential, key, "ada", "hunter2", NULL) == SYNCSTORE_OK);
        break;
    case 2: /* says why not */
        EXPECT(syncstore_credential_fail(credential, "signed out", NULL) == SYNCSTORE_OK);
        break;
    case 3: /* says so */
        EXPECT(syncstore_credential_none(credential, NULL) == SYNCSTORE_OK);
        break;
    default: /* says nothing */
        break;
    }
}

static void destroy(void *user_data)
{
    pthread_mutex_lock(&asking_lock);
    ((asked *)user_data)->destroyed++;
    pthread_mutex_unlock(&asking_lock);
}

static int is_destroyed(const asked *asked)
{
    int times;

    pthread_mutex_lock(&asking_lock);
    times = asked->destroyed;
    pthread_mutex_unlock(&asking_lock);
    return times;
}

static syncstore_wire *asking(asked *asked)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_credentials *credentials;
    syncstore_wire *wire;

    EXPECT_OK(syncstore_credentials_new(give, asked, destroy, &credentials, &error));
    options.credentials = credentials;
    EXPECT_OK(syncstore_wire_http(url, "notes", &options, &wire, &error));
    syncstore_credentials_free(credentials);
    EXPECT(asked->destroyed == 0 && asked->times == 0);
    return wire;
}

static void credentials_are_asked_for(void)
{
    syncstore *store = opened("credentials.db");
    int bearer;

    for (bearer = 0; bearer < 5; bearer++) {
        asked asked = {0, 0, 0, 0};
        syncstore_wire *wire;
        syncstore_report *report = NULL;

        asked.bearer = bearer;
        wire = asking(&asked);
        if (bearer == 0) {
            EXPECT_OK(syncstore_sync(store, wire, NULL, NULL, NULL, NULL, &error));
            EXPECT(asked.times == 2 && asked.refreshed == 1);
        } else {
            EXPECT_STATUS(SYNCSTORE_UNAUTHENTICATED, syncstore_sync(store, wire, NULL, NULL, NULL, &report, &error));
            EXPECT(report == NULL && syncstore_error_report(error, NULL) == 1);
            EXPECT(syncstore_error_http_status(error) == 401 && syncstore_error_retryable(error) == 0);
            EXPECT(strstr(syncstore_error_message(error), "hunter2") == NULL);
            EXPECT((strstr(syncstore_error_message(error), "signed out") != NULL) == (bearer == 2));
            EXPECT((strstr(syncstore_error_message(error), "filled in none") != NULL) == (bearer == 4));
            EXPECT(syncstore_error_report(error, &report) == 1);
            EXPECT(syncstore_report_pulled(report) == 0 && strstr(syncstore_report_json(report), "round_trips") != NULL);
            syncstore_report_free(report);
            syncstore_error_free(error);
            error = NULL;
        }
        EXPECT(asked.destroyed == 0);
        syncstore_wire_free(wire);
        EXPECT(asked.destroyed == 1);
    }
    syncstore_free(store);
}

static void errors_say_what_and_keep_secrets(void)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore *store = opened("errors.db");
    syncstore_wire *wire = with_token("hunter2");

    EXPECT_STATUS(SYNCSTORE_UNAUTHENTICATED, syncstore_push(store, wire, NULL, NULL, &error));
    EXPECT(strstr(syncstore_error_message(error), "hunter2") == NULL);
    syncstore_error_free(error);
    error = NULL;
    syncstore_wire_free(wire);

    EXPECT_OK(syncstore_wire_http("http://127.0.0.1:1", "notes", NULL, &wire, &error));
    EXPECT_STATUS(SYNCSTORE_UNREACHABLE, syncstore_sync(store, wire, NULL, NULL, NULL, NULL, &error));
    EXPECT(syncstore_error_retryable(error) == 1);
    syncstore_error_free(error);
    error = NULL;
    syncstore_wire_free(wire);

    wire = with_token(token);
    syncstore_wire_free(wire);
    options.bearer_token = "hunter 2";
    EXPECT_FAILS(SYNCSTORE_SETUP, "bearer token", syncstore_wire_http(url, "notes", &options, &wire, &error));
    EXPECT(wire == NULL);
    EXPECT_FAILS(SYNCSTORE_SETUP, "URL", syncstore_wire_http("ftp://hunter2", "notes", NULL, &wire, &error));
    EXPECT(wire == NULL);
    syncstore_free(store);
}

typedef struct waiting {
    syncstore *store;
    syncstore_wire *wire;
    syncstore_cancel *cancel;
    syncstore_status answered;
} waiting;

static void *sync_and_wait(void *data)
{
    waiting *waiting = data;

    waiting->answered = syncstore_sync(waiting->store, waiting->wire, waiting->cancel, NULL, NULL, NULL, NULL);
    return NULL;
}

static void a_sync_is_cut_off(void)
{
    char at[64];
    int listener = silent(at, sizeof at), by_closing;

    for (by_closing = 0; by_closing < 2; by_closing++) {
        waiting waiting = {NULL, NULL, NULL, SYNCSTORE_OK};
        pthread_t thread;
        int connection;

        waiting.store = opened("cut.db");
        EXPECT_OK(syncstore_wire_http(at, "notes", NULL, &waiting.wire, &error));
        waiting.cancel = by_closing ? NULL : syncstore_cancel_new();
        EXPECT(pthread_create(&thread, NULL, sync_and_wait, &waiting) == 0);
        connection = accept(listener, NULL, NULL);
        EXPECT(connection >= 0);
        if (by_closing) {
            EXPECT_OK(syncstore_close(waiting.store, NULL, &error));
        } else {
            EXPECT(syncstore_cancel_is_cancelled(waiting.cancel) == 0);
            syncstore_cancel_cancel(waiting.cancel);
            EXPECT(syncstore_cancel_is_cancelled(waiting.cancel) == 1);
        }
        EXPECT(pthread_join(thread, NULL) == 0);
        EXPECT(waiting.answered == SYNCSTORE_CANCELLED);
        if (!by_closing) { /* It stays cancelled. */
            EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_pull(waiting.store, waiting.wire, waiting.cancel, NULL, NULL, NULL, &error));
        }
        close(connection);
        syncstore_free(waiting.store);
        syncstore_wire_free(waiting.wire);
        syncstore_cancel_free(waiting.cancel);
    }
    close(listener);
}

/* What a host may do while a checkpoint is loaded. */
static void write_and_close(void *user_data, uint64_t loaded, uint64_t total)
{
    syncstore *store = user_data;
    syncstore_text text;
    uint64_t known, all, place;

    EXPECT(loaded == total);
    EXPECT(syncstore_bootstrap_progress(store, &known, &all, NULL) == SYNCSTORE_OK && known == loaded && all == total);
    EXPECT(syncstore_position(store, &place, NULL) == SYNCSTORE_OK && place == 0);
    EXPECT(syncstore_set(store, "notes", "meanwhile", "1", 1, NULL, NULL) == SYNCSTORE_OK);
    EXPECT(syncstore_get(store, "notes", "meanwhile", &text, NULL) == SYNCSTORE_OK);
    syncstore_text_free(&text);
    EXPECT(syncstore_close(store, NULL, NULL) == SYNCSTORE_OK);
    EXPECT(syncstore_get(store, "notes", "meanwhile", &text, NULL) == SYNCSTORE_CLOSED);
    syncstore_free(store);
}

static void a_store_is_closed_within_a_callback(void)
{
    syncstore_wire *wire = with_token(token);
    syncstore *store = opened("within.db");
    uint64_t place;

    EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_sync(store, wire, NULL, write_and_close, store, NULL, &error));
    /* What was written is there. */
    store = opened("within.db");
    expect_item(store, "notes", "meanwhile", "1");
    EXPECT_OK(syncstore_sync(store, wire, NULL, NULL, NULL, NULL, &error));
    EXPECT_OK(syncstore_position(store, &place, &error));
    EXPECT(place > 0);
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_bootstrap_progress(store, &place, NULL, &error));
    syncstore_free(store);
    syncstore_wire_free(wire);
}

typedef struct worker {
    pthread_t thread;
    syncstore *store;
    syncstore_wire *wire;
    char name[16];
} worker;

static void *write_and_sync(void *data)
{
    worker *worker = data;
    int round;

    for (round = 0; round < 4; round++) {
        syncstore_error *error = NULL;
        syncstore_report *report;
        syncstore_outcome *outcome;
        syncstore_ref op;

        EXPECT_OK(syncstore_set(worker->store, "threads", worker->name, "1", 1, &op, &error));
        EXPECT_OK(syncstore_sync(worker->store, worker->wire, NULL, NULL, NULL, &report, &error));
        syncstore_report_free(report);
        EXPECT_OK(syncstore_wait(worker->store, &op, 60000, &outcome, &error));
        EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_ACCEPTED);
        syncstore_outcome_free(outcome);
    }
    return NULL;
}

/* Two stores, one wire, and four threads on each store. */
static void many_threads_sync(void)
{
    syncstore *stores[2];
    syncstore_wire *wire = with_token(token);
    worker workers[8];
    size_t at;

    stores[0] = opened("threads-0.db");
    stores[1] = opened("threads-1.db");
    for (at = 0; at < 8; at++) {
        workers[at].store = stores[at % 2];
        workers[at].wire = wire;
        snprintf(workers[at].name, sizeof workers[at].name, "t%d", (int)at);
        EXPECT(pthread_create(&workers[at].thread, NULL, write_and_sync, &workers[at]) == 0);
    }
    for (at = 0; at < 8; at++) {
        EXPECT(pthread_join(workers[at].thread, NULL) == 0);
    }
    for (at = 0; at < 8; at++) {
        EXPECT_OK(syncstore_sync(stores[at % 2], wire, NULL, NULL, NULL, NULL, &error));
        expect_item(stores[at % 2], "threads", workers[7 - at].name, "1");
    }
    syncstore_free(stores[0]);
    syncstore_free(stores[1]);
    syncstore_wire_free(wire);
}

/* Waits until a background sync is at something. */
static void expect_state(syncstore *store, syncstore_sync_state expected)
{
    int tries;

    for (tries = 0; tries < 10000; tries++) {
        syncstore_sync_status *status;
        syncstore_sync_state state;

        EXPECT_OK(syncstore_sync_status_of(store, &status, &error));
        state = syncstore_sync_status_state(status);
        EXPECT(syncstore_sync_status_next_try_ms(status) >= -1);
        EXPECT(syncstore_sync_status_loaded(status) <= syncstore_sync_status_total(status));
        if (state == expected && state == SYNCSTORE_SYNC_NEEDS_CREDENTIAL) {
            EXPECT(syncstore_sync_status_error(status) != NULL);
        }
        syncstore_sync_status_free(status);
        if (state == expected) {
            return;
        }
        nap();
    }
    EXPECT(!"it never came to that");
}

static void expect_accepted(syncstore *store, const syncstore_ref *op)
{
    syncstore_outcome *outcome;

    EXPECT_OK(syncstore_wait(store, op, 60000, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_ACCEPTED);
    syncstore_outcome_free(outcome);
}

static void a_store_syncs_by_itself(void)
{
    syncstore_sync_policy policy = SYNCSTORE_SYNC_POLICY_INIT;
    syncstore *store = opened("background.db");
    asked asked = {1, 0, 0, 0};
    syncstore_wire *wire = asking(&asked);
    syncstore_outcome *outcome;
    syncstore_ref op;
    syncstore_stopped how;

    expect_state(store, SYNCSTORE_SYNC_STOPPED);
    policy.debounce_ms = -1;
    policy.longest_wait_ms = 1000;
    EXPECT_OK(syncstore_start(store, wire, &policy, &error));
    syncstore_wire_free(wire);
    EXPECT_FAILS(SYNCSTORE_ALREADY_STARTED, "", syncstore_start(store, wire = with_token(token), NULL, &error));
    syncstore_wire_free(wire);

    /* The credential is refused, until the host has another one. */
    expect_state(store, SYNCSTORE_SYNC_NEEDS_CREDENTIAL);
    set(store, "background", "b1", "1", &op);
    EXPECT_OK(syncstore_wait(store, &op, 1, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_QUEUED);
    syncstore_outcome_free(outcome);
    pthread_mutex_lock(&asking_lock);
    asked.bearer = 0;
    pthread_mutex_unlock(&asking_lock);
    EXPECT_OK(syncstore_credential_changed(store, &error));
    expect_accepted(store, &op);

    EXPECT_OK(syncstore_pause(store, &error));
    expect_state(store, SYNCSTORE_SYNC_PAUSED);
    set(store, "background", "b2", "2", &op);
    EXPECT_OK(syncstore_sync_now(store, &error));
    EXPECT_OK(syncstore_wait(store, &op, 20, &outcome, &error));
    EXPECT(syncstore_outcome_kind_of(outcome) == SYNCSTORE_OUTCOME_QUEUED);
    syncstore_outcome_free(outcome);
    EXPECT_OK(syncstore_resume(store, &error));
    expect_accepted(store, &op);
    EXPECT_OK(syncstore_sync_now(store, &error));
    expect_state(store, SYNCSTORE_SYNC_IDLE);

    EXPECT(is_destroyed(&asked) == 0);
    EXPECT_OK(syncstore_stop(store, 60000, &how, &error));
    EXPECT(how != SYNCSTORE_STOPPED_SOON);
    expect_state(store, SYNCSTORE_SYNC_STOPPED);
    EXPECT_OK(syncstore_stop(store, 0, &how, &error));
    EXPECT(how == SYNCSTORE_STOPPED_ENTIRELY);
    syncstore_free(store);
    /* The last request may have come back on its own thread. */
    while (is_destroyed(&asked) == 0) {
        nap();
    }
    EXPECT(is_destroyed(&asked) == 1);
}

int main(int count, char **arguments)
{
    EXPECT(count == 5);
    url = arguments[1];
    token = arguments[2];
    key = arguments[3];
    secret = arguments[4];
    two_replicas_become_equal();
    credentials_are_asked_for();
    errors_say_what_and_keep_secrets();
    a_sync_is_cut_off();
    a_store_is_closed_within_a_callback();
    many_threads_sync();
    a_store_syncs_by_itself();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
