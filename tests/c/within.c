/* What callbacks may do that a sync or a pump calls: read and write their store, sync it, wait, close and free it. Each ends with a status, and nothing hangs or leaks. */
#include "contested.h"

static syncstore_error *error = NULL;

enum { GET, SET, SYNC, WAIT, CLOSE, FREE, ACTIONS };
enum { RESOLVER, EVENT, PUSH, PULL, PLACES };

typedef struct acting {
    int doing, times;
    syncstore *store;
    syncstore_wire *wire;
    /* An operation that is not settled. */
    syncstore_ref op;
    /* What a sync and a wait answer here. */
    syncstore_status sync, wait;
} acting;

static void act(acting *it)
{
    syncstore_outcome *outcome;
    syncstore_text json;

    if (it->times++ > 0) {
        return;
    }
    switch (it->doing) {
    case GET:
        EXPECT_OK(syncstore_get(it->store, "notes", "n1", &json, &error));
        EXPECT_TEXT("{\"by\":\"us\"}", json.data);
        syncstore_text_free(&json);
        break;
    case SET:
        EXPECT_OK(syncstore_set(it->store, "notes", "n2", "1", 1, NULL, &error));
        break;
    case SYNC:
        EXPECT_STATUS(it->sync, syncstore_sync(it->store, it->wire, NULL, NULL, NULL, NULL, &error));
        syncstore_error_free(error);
        error = NULL;
        break;
    case WAIT:
        /* Where it may not wait it is told so at once, and not for that its time is over. */
        EXPECT_STATUS(it->wait, syncstore_wait(it->store, &it->op, it->wait == SYNCSTORE_WITHIN_SYNC ? 60000 : 1, &outcome, &error));
        syncstore_outcome_free(outcome);
        syncstore_error_free(error);
        error = NULL;
        break;
    case CLOSE:
        EXPECT_OK(syncstore_close(it->store, NULL, &error));
        EXPECT_FAILS(SYNCSTORE_CLOSED, "closed", syncstore_get(it->store, "notes", "n1", &json, &error));
        break;
    default:
        syncstore_free(it->store);
        break;
    }
}

static void on_conflict(void *user_data, const syncstore_conflict *conflict, syncstore_answer *answer)
{
    act(user_data);
    /* Both are there to the callback's end, whatever became of the store. */
    EXPECT_TEXT("{\"by\":\"them\"}", syncstore_conflict_remote(conflict));
    EXPECT_OK(syncstore_answer_resolve(answer, SYNCSTORE_RESOLUTION_LEAVE_OPEN, NULL, 0, &error));
}

static void on_event(void *user_data, const syncstore_event *event)
{
    act(user_data);
    EXPECT(syncstore_event_kind_of(event) != 0);
}

static void on_call(void *user_data, syncstore_wire_call *call)
{
    act(user_data);
    EXPECT(strlen(syncstore_wire_call_client(call)) == 36);
}

static void within(int place, int doing)
{
    contested backend = {NULL, NULL, NULL, 0};
    acting it = {0, 0, NULL, NULL, {{0}}, SYNCSTORE_WITHIN_SYNC, SYNCSTORE_WITHIN_SYNC};
    syncstore_resolver *resolver = NULL;
    syncstore_events *events = NULL;
    syncstore_status goes_on = doing == CLOSE || doing == FREE ? SYNCSTORE_CANCELLED : SYNCSTORE_OK;
    char path[] = "within-0-0.db";

    path[7] = (char)('0' + place);
    path[9] = (char)('0' + doing);
    it.wire = contested_wire(&backend);
    if (place == RESOLVER) {
        EXPECT_OK(syncstore_resolver_new(on_conflict, &it, NULL, &resolver, &error));
    }
    it.store = contested_store(path, resolver, &backend, it.wire);
    syncstore_resolver_free(resolver);
    EXPECT_OK(syncstore_set(it.store, "notes", "n0", "1", 1, &it.op, &error));
    it.doing = doing;
    backend.data = &it;

    switch (place) {
    case RESOLVER:
        /* The sync has done its part, and holds nothing. */
        it.sync = SYNCSTORE_REFUSED;
        it.wait = SYNCSTORE_OK;
        EXPECT_STATUS(SYNCSTORE_OK, syncstore_pull(it.store, it.wire, NULL, NULL, NULL, NULL, &error));
        break;
    case EVENT:
        /* No sync is under way. */
        it.sync = SYNCSTORE_REFUSED;
        it.wait = SYNCSTORE_OK;
        {
            syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
            uint64_t subscription;
            EXPECT_OK(syncstore_events_new(it.store, NULL, NULL, NULL, NULL, &events, &error));
            options.collection = "notes";
            EXPECT_OK(syncstore_events_subscribe(events, &options, &subscription, &error));
        }
        EXPECT_OK(syncstore_set(it.store, "notes", "n3", "1", 1, NULL, &error));
        EXPECT_OK(syncstore_events_pump(events, 10, -1, on_event, &it, NULL, NULL, &error));
        syncstore_events_free(events);
        break;
    case PUSH:
        backend.in_push = on_call;
        EXPECT_STATUS(goes_on == SYNCSTORE_OK ? SYNCSTORE_REFUSED : goes_on, syncstore_push(it.store, it.wire, NULL, NULL, &error));
        break;
    default:
        backend.in_pull = on_call;
        EXPECT_STATUS(goes_on, syncstore_pull(it.store, it.wire, NULL, NULL, NULL, NULL, &error));
        break;
    }
    syncstore_error_free(error);
    error = NULL;
    EXPECT(it.times > 0);
    if (doing != FREE) {
        syncstore_free(it.store);
    }
    syncstore_wire_free(it.wire);
    if (syncstore_live_handles() != 0) {
        fprintf(stderr, "place %d, doing %d: handles are left\n", place, doing);
        exit(1);
    }
}

int main(void)
{
    int place, doing;

    for (place = 0; place < PLACES; place++) {
        for (doing = 0; doing < ACTIONS; doing++) {
            within(place, doing);
        }
    }
    return 0;
}
