/* Wires of the host's own that misbehave: what they answer is judged, and nothing of it harms. */
#define _POSIX_C_SOURCE 200809L
#include "expect.h"

#include <pthread.h>
#include <time.h>

static syncstore_error *error = NULL;

static const char INFO[] = "{\"epoch\":\"e\",\"seq\":0,\"limits\":{},\"formats\":[],\"encodings\":[]}";
static const char EMPTY[] = "{\"checkpoint\":\"c\",\"cursor\":\"0\",\"seq\":0,\"items\":[],\"total\":0}";
static const char NOTHING[] = "{\"entries\":[],\"cursor\":\"0\",\"seq\":0,\"more\":false}";

/* What a wire does when it is asked for what the database takes. */
enum { WELL, NEVER, GARBAGE, SHAPELESS, OF_ANOTHER, TWICE, TWICE_GARBAGE, HUGE, BUSY, REFUSING, WITHOUT_CREDENTIAL, FREEING, HANGING, STUCK };

typedef struct wired {
    int how;
    int infos, pushes, pulls, checkpoints, cut_off, released, destroyed;
    syncstore_wire *wire;
    syncstore *store;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    syncstore_wire_call *hanging;
} wired;

static void answer(syncstore_wire_call *call, const char *json)
{
    EXPECT_OK(syncstore_wire_call_answer(call, json, strlen(json), &error));
}

static void info(void *user_data, syncstore_wire_call *call)
{
    static const char PROBLEM[] = "{\"code\":\"overloaded\",\"detail\":\"come back later\"}";
    wired *wired = user_data;

    EXPECT_TEXT("{}", syncstore_wire_call_request(call));
    EXPECT_TEXT("", syncstore_wire_call_target(call));
    EXPECT(syncstore_wire_call_client(call) == NULL && syncstore_wire_call_cursor(call) == NULL);
    EXPECT(syncstore_wire_call_op_count(call) == 0);
    wired->infos++;
    switch (wired->how) {
    case NEVER:
        break;
    case GARBAGE:
        EXPECT_FAILS(SYNCSTORE_PROTOCOL, "JSON", syncstore_wire_call_answer(call, "]hunter2", 8, &error));
        break;
    case SHAPELESS:
        EXPECT_FAILS(SYNCSTORE_PROTOCOL, "missing field", syncstore_wire_call_answer(call, "{}", 2, &error));
        break;
    case OF_ANOTHER:
        EXPECT_FAILS(SYNCSTORE_PROTOCOL, "missing field", syncstore_wire_call_answer(call, EMPTY, strlen(EMPTY), &error));
        break;
    case TWICE:
        answer(call, INFO);
        EXPECT_FAILS(SYNCSTORE_MISUSE, "before", syncstore_wire_call_fail(call, SYNCSTORE_SETUP, -1, "no", &error));
        EXPECT_FAILS(SYNCSTORE_MISUSE, "before", syncstore_wire_call_refuse(call, 500, NULL, 0, -1, &error));
        break;
    case TWICE_GARBAGE:
        EXPECT_FAILS(SYNCSTORE_PROTOCOL, "", syncstore_wire_call_answer(call, NULL, 0, &error));
        EXPECT_FAILS(SYNCSTORE_MISUSE, "before", syncstore_wire_call_answer(call, INFO, strlen(INFO), &error));
        break;
    case HUGE: {
        size_t size = ((size_t)64 << 20) + 1;
        char *much = malloc(size);
        EXPECT(much != NULL);
        memset(much, ' ', size);
        EXPECT_FAILS(SYNCSTORE_PROTOCOL, "64 MiB", syncstore_wire_call_answer(call, much, size, &error));
        free(much);
        break;
    }
    case BUSY:
        EXPECT_OK(syncstore_wire_call_refuse(call, 503, PROBLEM, sizeof PROBLEM - 1, 7000, &error));
        break;
    case REFUSING:
        EXPECT_OK(syncstore_wire_call_refuse(call, 403, "no problem document", 19, -1, &error));
        break;
    case WITHOUT_CREDENTIAL:
        EXPECT_OK(syncstore_wire_call_fail(call, SYNCSTORE_UNAUTHENTICATED, -1, "signed out", &error));
        break;
    case FREEING: /* The wire and the store, within a call over it. */
        syncstore_wire_free(wired->wire);
        EXPECT_OK(syncstore_close(wired->store, NULL, &error));
        syncstore_free(wired->store);
        EXPECT(syncstore_wire_call_is_cancelled(call) == 1);
        answer(call, INFO);
        break;
    case HANGING:
        pthread_mutex_lock(&wired->lock);
        wired->hanging = call;
        pthread_cond_broadcast(&wired->changed);
        while (!wired->cut_off) {
            pthread_cond_wait(&wired->changed, &wired->lock);
        }
        pthread_mutex_unlock(&wired->lock);
        EXPECT(syncstore_wire_call_is_cancelled(call) == 1);
        break;
    case STUCK: /* Deaf to being cut off; answers when its store is long gone. */
        pthread_mutex_lock(&wired->lock);
        wired->hanging = call;
        pthread_cond_broadcast(&wired->changed);
        while (!wired->released) {
            pthread_cond_wait(&wired->changed, &wired->lock);
        }
        pthread_mutex_unlock(&wired->lock);
        EXPECT(syncstore_wire_call_is_cancelled(call) == 1);
        EXPECT(syncstore_wire_call_answer(call, INFO, strlen(INFO), NULL) == SYNCSTORE_OK);
        break;
    default:
        answer(call, INFO);
        break;
    }
}

static void push(void *user_data, syncstore_wire_call *call)
{
    wired *wired = user_data;

    wired->pushes++;
    EXPECT_TEXT("/sync/outbox", syncstore_wire_call_target(call));
    EXPECT(strstr(syncstore_wire_call_request(call), "\"ops\":[{") != NULL);
    EXPECT(strlen(syncstore_wire_call_client(call)) == 36);
    EXPECT(syncstore_wire_call_limit(call) == 0 && syncstore_wire_call_page(call) == NULL);
    EXPECT(syncstore_wire_call_op_count(call) == 1);
    EXPECT_TEXT("\"set\"", syncstore_wire_call_op_member(call, 0, "op"));
    EXPECT_TEXT("\"n\\\"1\"", syncstore_wire_call_op_member(call, 0, "key"));
    EXPECT_TEXT("{ \"a\": 1 }", syncstore_wire_call_op_member(call, 0, "value"));
    EXPECT(syncstore_wire_call_op_member(call, 0, "patch") == NULL);
    EXPECT(syncstore_wire_call_op_member(call, 1, "op") == NULL);
    EXPECT(syncstore_wire_call_op_member(call, 0, NULL) == NULL);
    /* An answer that is well formed, and of other operations than were sent. */
    answer(call, "{\"seq\":1,\"results\":[{\"ref\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"outcome\":\"accepted\",\"seq\":1}]}");
}

static void pull(void *user_data, syncstore_wire_call *call)
{
    wired *wired = user_data;

    wired->pulls++;
    EXPECT(strncmp(syncstore_wire_call_target(call), "/sync/inbox?client=", 19) == 0);
    EXPECT_TEXT("0", syncstore_wire_call_cursor(call));
    EXPECT(strstr(syncstore_wire_call_request(call), "\"cursor\":\"0\"") != NULL);
    EXPECT(syncstore_wire_call_limit(call) > 0 && syncstore_wire_call_wait_ms(call) == 0);
    EXPECT(syncstore_wire_call_is_cancelled(call) == 0);
    answer(call, NOTHING);
}

static void checkpoint(void *user_data, syncstore_wire_call *call)
{
    wired *wired = user_data;

    wired->checkpoints++;
    EXPECT(strstr(syncstore_wire_call_target(call), "/sync/checkpoint?client=") != NULL);
    EXPECT(syncstore_wire_call_page(call) == NULL && syncstore_wire_call_limit(call) > 0);
    EXPECT(strstr(syncstore_wire_call_request(call), "\"collections\":\"notes\"") != NULL);
    /* What is said wrongly of a call is no answer to it. */
    EXPECT_FAILS(SYNCSTORE_MISUSE, "status", syncstore_wire_call_fail(call, SYNCSTORE_OK, -1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "status", syncstore_wire_call_fail(call, SYNCSTORE_PANIC, -1, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "retry_after_ms", syncstore_wire_call_fail(call, SYNCSTORE_UNAVAILABLE, -2, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "message", syncstore_wire_call_fail(call, SYNCSTORE_SETUP, -1, "\xc3\x28", &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "http_status", syncstore_wire_call_refuse(call, 200, NULL, 0, -1, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "http_status", syncstore_wire_call_refuse(call, 70000, NULL, 0, -1, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "problem is NULL", syncstore_wire_call_refuse(call, 500, NULL, 1, -1, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "retry_after_ms", syncstore_wire_call_refuse(call, 500, NULL, 0, -2, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "json is NULL", syncstore_wire_call_answer(call, NULL, 1, &error));
    EXPECT_FAILS(SYNCSTORE_MISUSE, "json is not UTF-8", syncstore_wire_call_answer(call, "\xc3\x28", 2, &error));
    answer(call, EMPTY);
}

static void cancel(void *user_data, syncstore_wire_call *call)
{
    wired *wired = user_data;

    pthread_mutex_lock(&wired->lock);
    if (wired->how == HANGING) {
        EXPECT(wired->hanging == call);
        wired->cut_off = 1;
        pthread_cond_broadcast(&wired->changed);
    }
    pthread_mutex_unlock(&wired->lock);
}

static void destroy(void *user_data)
{
    wired *wired = user_data;

    pthread_mutex_lock(&wired->lock);
    wired->destroyed++;
    pthread_mutex_unlock(&wired->lock);
}

/* Waits until the thread of a request has let go of its wire. */
static void expect_destroyed(wired *wired)
{
    struct timespec nap = {0, 5 * 1000 * 1000};
    int destroyed = 0;

    while (!destroyed) {
        pthread_mutex_lock(&wired->lock);
        destroyed = wired->destroyed;
        pthread_mutex_unlock(&wired->lock);
        nanosleep(&nap, NULL);
    }
    EXPECT(destroyed == 1);
}

static void make(wired *wired, int how)
{
    syncstore_wire_callbacks callbacks = SYNCSTORE_WIRE_CALLBACKS_INIT;

    memset(wired, 0, sizeof *wired);
    EXPECT(pthread_mutex_init(&wired->lock, NULL) == 0 && pthread_cond_init(&wired->changed, NULL) == 0);
    wired->how = how;
    callbacks.user_data = wired;
    callbacks.destroy = destroy;
    callbacks.info = info;
    callbacks.push = push;
    callbacks.pull = pull;
    callbacks.checkpoint = checkpoint;
    callbacks.cancel = cancel;
    EXPECT_OK(syncstore_wire_custom(&callbacks, &wired->wire, &error));
}

static syncstore *opened(const char *path)
{
    syncstore_options options = SYNCSTORE_OPTIONS_INIT;
    syncstore *store;

    options.retry_attempts = 1;
    options.keep = "notes";
    EXPECT_OK(syncstore_open(path, &options, &store, &error));
    return store;
}

static void each_misbehaviour_has_its_error(void)
{
    static const struct {
        int how;
        syncstore_status status;
        const char *words;
    } CASES[] = {
        {NEVER, SYNCSTORE_PROTOCOL, "without an answer"},
        {GARBAGE, SYNCSTORE_PROTOCOL, "JSON"},
        {SHAPELESS, SYNCSTORE_PROTOCOL, "missing field"},
        {OF_ANOTHER, SYNCSTORE_PROTOCOL, "missing field"},
        {TWICE_GARBAGE, SYNCSTORE_PROTOCOL, "JSON"},
        {HUGE, SYNCSTORE_PROTOCOL, "64 MiB"},
        {BUSY, SYNCSTORE_UNAVAILABLE, "come back later"},
        {REFUSING, SYNCSTORE_FORBIDDEN, "Forbidden"},
        {WITHOUT_CREDENTIAL, SYNCSTORE_UNAUTHENTICATED, "signed out"},
    };
    syncstore *store = opened("each.db");
    size_t at;

    for (at = 0; at < sizeof CASES / sizeof CASES[0]; at++) {
        wired wired;

        make(&wired, CASES[at].how);
        EXPECT_STATUS(CASES[at].status, syncstore_sync(store, wired.wire, NULL, NULL, NULL, NULL, &error));
        EXPECT(strstr(syncstore_error_message(error), CASES[at].words) != NULL);
        EXPECT(strstr(syncstore_error_message(error), "hunter2") == NULL);
        EXPECT(syncstore_error_retry_after_ms(error) == (CASES[at].how == BUSY ? 7000 : -1));
        syncstore_error_free(error);
        error = NULL;
        EXPECT(wired.infos == 1 && wired.checkpoints == 0 && wired.destroyed == 0);
        syncstore_wire_free(wired.wire);
        EXPECT(wired.destroyed == 1);
    }
    syncstore_free(store);
}

static void the_first_answer_counts_and_the_engine_judges_it(void)
{
    syncstore *store = opened("judged.db");
    syncstore_traffic traffic;
    syncstore_text json;
    wired wired;

    make(&wired, TWICE);
    EXPECT_OK(syncstore_wire_info(wired.wire, &json, &error));
    EXPECT(strstr(json.data, "\"epoch\":\"e\"") != NULL);
    syncstore_text_free(&json);
    EXPECT_OK(syncstore_sync(store, wired.wire, NULL, NULL, NULL, NULL, &error));
    EXPECT(wired.checkpoints == 1 && wired.pulls > 0 && wired.pushes == 0);
    EXPECT_OK(syncstore_set(store, "notes", "n\"1", "{ \"a\": 1 }", 10, NULL, &error));
    EXPECT_FAILS(SYNCSTORE_PROTOCOL, "not those of its operations", syncstore_push(store, wired.wire, NULL, NULL, &error));
    EXPECT(wired.pushes == 1);
    EXPECT_OK(syncstore_wire_traffic(wired.wire, &traffic, &error));
    EXPECT(traffic.sent > 0 && traffic.received > 0);
    EXPECT(traffic.round_trips == (uint64_t)(wired.infos + wired.pushes + wired.pulls + wired.checkpoints));
    syncstore_free(store);
    syncstore_wire_free(wired.wire);
    EXPECT(wired.destroyed == 1);
}

static void a_wire_and_its_store_go_within_a_call(void)
{
    wired wired;

    make(&wired, FREEING);
    wired.store = opened("going.db");
    EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_sync(wired.store, wired.wire, NULL, NULL, NULL, NULL, &error));
    EXPECT(wired.destroyed == 1 && wired.infos == 1);
}

static void *wait_and_cancel(void *data)
{
    wired *wired = ((void **)data)[0];

    pthread_mutex_lock(&wired->lock);
    while (wired->hanging == NULL) {
        pthread_cond_wait(&wired->changed, &wired->lock);
    }
    pthread_mutex_unlock(&wired->lock);
    syncstore_cancel_cancel(((void **)data)[1]);
    return NULL;
}

static void a_call_that_hangs_is_cut_off(void)
{
    syncstore *store = opened("hanging.db");
    syncstore_cancel *cancelling = syncstore_cancel_new();
    syncstore_stopped how;
    pthread_t thread;
    void *both[2];
    wired wired;

    make(&wired, HANGING);
    both[0] = &wired;
    both[1] = cancelling;
    EXPECT(pthread_create(&thread, NULL, wait_and_cancel, both) == 0);
    EXPECT_FAILS(SYNCSTORE_CANCELLED, "", syncstore_sync(store, wired.wire, cancelling, NULL, NULL, NULL, &error));
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(wired.cut_off == 1);
    syncstore_cancel_free(cancelling);
    syncstore_wire_free(wired.wire);
    EXPECT(wired.destroyed == 1);

    /* In the background too. */
    make(&wired, HANGING);
    EXPECT_OK(syncstore_start(store, wired.wire, NULL, &error));
    syncstore_wire_free(wired.wire);
    pthread_mutex_lock(&wired.lock);
    while (wired.hanging == NULL) {
        pthread_cond_wait(&wired.changed, &wired.lock);
    }
    pthread_mutex_unlock(&wired.lock);
    EXPECT_OK(syncstore_stop(store, 60000, &how, &error));
    EXPECT(how == SYNCSTORE_STOPPED_ENTIRELY || how == SYNCSTORE_STOPPED_REQUEST_LEFT);
    EXPECT(wired.cut_off == 1);
    syncstore_free(store);
    expect_destroyed(&wired);
}

/* A call that never comes back keeps neither the store nor its file. */
static void a_call_that_is_stuck_holds_nothing(void)
{
    syncstore *store = opened("stuck.db");
    syncstore_stopped how;
    wired wired;

    make(&wired, STUCK);
    EXPECT_OK(syncstore_start(store, wired.wire, NULL, &error));
    syncstore_wire_free(wired.wire);
    pthread_mutex_lock(&wired.lock);
    while (wired.hanging == NULL) {
        pthread_cond_wait(&wired.changed, &wired.lock);
    }
    pthread_mutex_unlock(&wired.lock);
    EXPECT_OK(syncstore_stop(store, 60000, &how, &error));
    EXPECT(how == SYNCSTORE_STOPPED_REQUEST_LEFT);
    syncstore_free(store);
    store = opened("stuck.db");
    EXPECT_OK(syncstore_set(store, "notes", "n1", "1", 1, NULL, &error));
    syncstore_free(store);
    pthread_mutex_lock(&wired.lock);
    EXPECT(wired.destroyed == 0);
    wired.released = 1;
    pthread_cond_broadcast(&wired.changed);
    pthread_mutex_unlock(&wired.lock);
    expect_destroyed(&wired);
    EXPECT(wired.infos == 1);
}

int main(void)
{
    each_misbehaviour_has_its_error();
    the_first_answer_counts_and_the_engine_judges_it();
    a_wire_and_its_store_go_within_a_call();
    a_call_that_hangs_is_cut_off();
    a_call_that_is_stuck_holds_nothing();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
