/* Events: subscribed, told of once, pumped within bounds; what a callback may do; waited for, by a call and by a descriptor. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

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

static void set(syncstore *store, const char *key)
{
    EXPECT_OK(syncstore_set(store, "notes", key, "1", 1, NULL, &error));
}

/* What was handed out: the keys of changes, and a word for everything else. */
typedef struct heard {
    char words[200];
    uint64_t subscription;
} heard;

static void hear(void *user_data, const syncstore_event *event)
{
    heard *heard = user_data;
    const syncstore_change *change = syncstore_event_change(event);

    switch (syncstore_event_kind_of(event)) {
    case SYNCSTORE_EVENT_CHANGED:
        EXPECT_TEXT("notes", syncstore_change_collection(change));
        EXPECT(syncstore_change_origin(change) == SYNCSTORE_ORIGIN_LOCAL);
        EXPECT(syncstore_event_overflow(event) == SYNCSTORE_OVERFLOW_NONE);
        strcat(heard->words, syncstore_change_key(change));
        heard->subscription = syncstore_event_subscription(event);
        break;
    case SYNCSTORE_EVENT_OVERFLOWED:
        EXPECT(syncstore_event_overflow(event) == SYNCSTORE_OVERFLOW_FULL && change == NULL);
        heard->subscription = syncstore_event_subscription(event);
        strcat(heard->words, "overflowed");
        break;
    default:
        strcat(heard->words, "other");
        break;
    }
    /* What goes with other kinds is not there. */
    EXPECT(syncstore_event_outcome(event) == NULL && syncstore_event_ref(event, NULL) == 0);
    EXPECT(syncstore_event_conflict_id(event) == 0 && syncstore_event_status(event) == NULL);
    EXPECT(syncstore_event_log_line(event) == NULL && syncstore_event_missed(event) == 0);
    strcat(heard->words, " ");
}

static void expect_heard(syncstore_events *events, const char *expected)
{
    heard heard = {"", 0};
    int32_t more;

    EXPECT_OK(syncstore_events_pump(events, 100, -1, hear, &heard, NULL, &more, &error));
    EXPECT_TEXT(expected, heard.words);
    EXPECT(more == 0);
}

static void told_once_and_within_bounds(syncstore *store)
{
    woken woken = {0, 0};
    heard heard = {"", 0};
    syncstore_events *events;
    syncstore_watch_options options = SYNCSTORE_WATCH_OPTIONS_INIT;
    uint64_t notes, small;
    size_t pumped;
    int32_t more;

    EXPECT_OK(syncstore_events_new(store, NULL, on_wake, &woken, on_destroy, &events, &error));
    options.collection = "notes";
    EXPECT_OK(syncstore_events_subscribe(events, &options, &notes, &error));
    EXPECT(notes != 0 && woken.times == 0);

    /* One wake for each time that there was nothing, and is something. */
    set(store, "a");
    set(store, "b");
    set(store, "c");
    EXPECT(woken.times == 1);
    EXPECT_OK(syncstore_events_pump(events, 2, -1, hear, &heard, &pumped, &more, &error));
    EXPECT_TEXT("a b ", heard.words);
    EXPECT(pumped == 2 && more == 1 && heard.subscription == notes && woken.times == 1);
    set(store, "d");
    EXPECT(woken.times == 1);
    /* A budget of nothing is one event. */
    heard.words[0] = 0;
    EXPECT_OK(syncstore_events_pump(events, 100, 0, hear, &heard, &pumped, &more, &error));
    EXPECT_TEXT("c ", heard.words);
    EXPECT(pumped == 1 && more == 1 && woken.times == 1);
    EXPECT_OK(syncstore_events_pump(events, 0, -1, hear, &heard, &pumped, &more, &error));
    EXPECT(pumped == 0 && more == 1);
    expect_heard(events, "d ");
    EXPECT(woken.times == 1);
    set(store, "e");
    EXPECT(woken.times == 2);
    expect_heard(events, "e ");

    options.capacity = 1;
    EXPECT_OK(syncstore_events_unsubscribe(events, notes, &error));
    EXPECT_STATUS(SYNCSTORE_NOT_FOUND, syncstore_events_unsubscribe(events, notes, &error));
    EXPECT_OK(syncstore_events_subscribe(events, &options, &small, &error));
    EXPECT(small != notes);
    set(store, "f");
    set(store, "g");
    expect_heard(events, "overflowed ");
    set(store, "h");
    EXPECT_OK(syncstore_events_unsubscribe(events, small, &error));
    expect_heard(events, "");

    EXPECT(woken.destroyed == 0);
    syncstore_events_free(events);
    EXPECT(woken.destroyed == 1);
    set(store, "i");
    EXPECT(woken.times == 4);
}

/* What is done within a callback, once; then the number of events that came all the same. */
typedef struct within {
    syncstore *store;
    syncstore_events *events;
    enum { WRITE, PUMP, CLOSE, FREE_STORE, FREE_EVENTS, FREE_BOTH, SUBSCRIBE } doing;
    int called;
} within;

static void count(void *user_data, const syncstore_event *event)
{
    EXPECT(event != NULL);
    ++*(int *)user_data;
}

static void act(void *user_data, const syncstore_event *event)
{
    within *it = user_data;
    int inner = 0;
    uint64_t number;

    if (it->called++ > 0) {
        return;
    }
    switch (it->doing) {
    case WRITE:
        set(it->store, "new");
        break;
    case PUMP:
        /* The rest goes to the inner one; `event` is still there. */
        EXPECT_OK(syncstore_events_pump(it->events, 100, -1, count, &inner, NULL, NULL, &error));
        EXPECT(inner == 2);
        break;
    case CLOSE:
        EXPECT_OK(syncstore_close(it->store, NULL, &error));
        break;
    case FREE_STORE:
        syncstore_free(it->store);
        break;
    case FREE_EVENTS:
        syncstore_events_free(it->events);
        break;
    case FREE_BOTH:
        syncstore_free(it->store);
        syncstore_events_free(it->events);
        break;
    case SUBSCRIBE:
        EXPECT_OK(syncstore_events_subscribe(it->events, NULL, &number, &error));
        break;
    }
    EXPECT_TEXT("a", syncstore_change_key(syncstore_event_change(event)));
}

static void a_callback_may_call_everything(void)
{
    static const int called[] = {4, 1, 1, 1, 1, 1, 3};
    woken woken = {0, 0};
    int doing;

    for (doing = WRITE; doing <= SUBSCRIBE; doing++) {
        within it = {NULL, NULL, WRITE, 0};
        char path[] = "within-0.db";
        uint64_t number;
        size_t pumped;

        it.doing = doing;
        path[7] = (char)('0' + doing);
        EXPECT_OK(syncstore_open(path, NULL, &it.store, &error));
        EXPECT_OK(syncstore_events_new(it.store, NULL, on_wake, &woken, on_destroy, &it.events, &error));
        EXPECT_OK(syncstore_events_subscribe(it.events, NULL, &number, &error));
        set(it.store, "a");
        set(it.store, "b");
        set(it.store, "c");
        EXPECT_OK(syncstore_events_pump(it.events, 100, -1, act, &it, &pumped, NULL, &error));
        EXPECT(it.called == called[doing] && pumped == (size_t)called[doing]);
        if (doing == CLOSE || doing == FREE_STORE) {
            EXPECT_FAILS(SYNCSTORE_CLOSED, "closed",
                         syncstore_events_pump(it.events, 100, -1, act, &it, &pumped, NULL, &error));
            EXPECT(it.called == 1);
        }
        if (doing != FREE_EVENTS && doing != FREE_BOTH) {
            syncstore_events_free(it.events);
        }
        EXPECT(woken.destroyed == doing + 1);
        if (doing != FREE_STORE && doing != FREE_BOTH) {
            syncstore_free(it.store);
        }
        EXPECT(syncstore_live_handles() == 0);
    }
}

static void *write_one(void *store)
{
    EXPECT(syncstore_set(store, "notes", "waited", "1", 1, NULL, NULL) == SYNCSTORE_OK);
    return NULL;
}

static void *close_it(void *store)
{
    EXPECT(syncstore_close(store, NULL, NULL) == SYNCSTORE_OK);
    return NULL;
}

static void waited_for(syncstore *store)
{
    syncstore_events *events;
    pthread_t other;
    struct pollfd descriptor = {0, POLLIN, 0};
    int32_t one, another;

    EXPECT_OK(syncstore_events_new(store, NULL, NULL, NULL, NULL, &events, &error));
    {
        uint64_t number;
        EXPECT_OK(syncstore_events_subscribe(events, NULL, &number, &error));
    }
    EXPECT_STATUS(SYNCSTORE_NOTHING_TO_PUMP, syncstore_events_wait(events, 0, &error));
    EXPECT_OK(syncstore_events_descriptor(events, &one, &error));
    EXPECT_OK(syncstore_events_descriptor(events, &another, &error));
    EXPECT(one != another);
    close(another);
    descriptor.fd = one;
    EXPECT(poll(&descriptor, 1, 0) == 0);

    EXPECT(pthread_create(&other, NULL, write_one, store) == 0);
    while (syncstore_events_wait(events, -1, NULL) == SYNCSTORE_NOTHING_TO_PUMP) {
    }
    EXPECT(poll(&descriptor, 1, 60000) == 1);
    EXPECT(pthread_join(other, NULL) == 0);
    expect_heard(events, "waited ");
    EXPECT(poll(&descriptor, 1, 0) == 0);

    /* Closing ends a wait, which would be a long one. */
    EXPECT(pthread_create(&other, NULL, close_it, store) == 0);
    {
        syncstore_status status;
        do {
            status = syncstore_events_wait(events, 600000, NULL);
        } while (status == SYNCSTORE_NOTHING_TO_PUMP);
        EXPECT(status == SYNCSTORE_CLOSED);
    }
    EXPECT(pthread_join(other, NULL) == 0);
    syncstore_events_free(events);
    close(one);
}

int main(void)
{
    syncstore *store;

    EXPECT_OK(syncstore_open("events.db", NULL, &store, &error));
    told_once_and_within_bounds(store);
    waited_for(store);
    syncstore_free(store);
    a_callback_may_call_everything();
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
