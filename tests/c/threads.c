/* Eight threads on one store, for so many milliseconds as the argument says: writing, reading, watching, pumping, listing; then it is closed under them. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "expect.h"

#define THREADS 8

static syncstore *store;

static long long now_ms(void)
{
    struct timespec now;

    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One thread's part, done again and again until the store is closed. */
typedef struct part {
    pthread_t thread;
    syncstore_status (*once)(struct part *);
    int number;
    unsigned long done;
    syncstore_watcher *watcher;
    syncstore_events *events;
} part;

static void key_of(const part *part, char *key)
{
    sprintf(key, "%d-%lu", part->number, part->done % 50);
}

static syncstore_status write_one(part *part)
{
    char key[40], json[40];
    syncstore_ref op;

    key_of(part, key);
    sprintf(json, "{\"done\": %lu}", part->done);
    return syncstore_set(store, "notes", key, json, strlen(json), &op, NULL);
}

static syncstore_status change_one(part *part)
{
    syncstore_ref op;
    syncstore_outcome *outcome;
    syncstore_status status = syncstore_set(store, "notes", "shared", "1", 1, &op, NULL);

    if (status == SYNCSTORE_OK) {
        status = syncstore_outcome_of(store, &op, &outcome, NULL);
        EXPECT(status != SYNCSTORE_OK || syncstore_outcome_kind_of(outcome) != 0);
        syncstore_outcome_free(outcome);
    }
    if (status == SYNCSTORE_OK && part->done % 7 == 0) {
        status = syncstore_delete(store, "notes", "shared", NULL, NULL);
    }
    return status;
}

static syncstore_status read_one(part *part)
{
    char key[40];
    syncstore_text json;
    syncstore_status status;

    key_of(part, key);
    key[0] = '0';
    status = syncstore_get(store, "notes", key, &json, NULL);
    EXPECT(status != SYNCSTORE_OK || json.len == strlen(json.data));
    syncstore_text_free(&json);
    return status;
}

static syncstore_status list_all(part *part)
{
    syncstore_rejected_list *rejected;
    syncstore_conflict_list *conflicts;
    syncstore_notices *notices;
    syncstore_status status = syncstore_rejections(store, &rejected, NULL);

    (void)part;
    EXPECT(syncstore_rejected_list_count(rejected) == 0);
    syncstore_rejected_list_free(rejected);
    if (status == SYNCSTORE_OK) {
        status = syncstore_conflicts(store, &conflicts, NULL);
        syncstore_conflict_list_free(conflicts);
    }
    if (status == SYNCSTORE_OK) {
        status = syncstore_take_notices(store, 10, &notices, NULL);
        syncstore_notices_free(notices);
    }
    return status;
}

static void on_wake(void *user_data)
{
    syncstore_text json;

    (void)user_data;
    /* A wake may call the store, on whichever thread it comes. */
    syncstore_get(store, "notes", "shared", &json, NULL);
    syncstore_text_free(&json);
}

static syncstore_status watch_some(part *part)
{
    syncstore_changes *changes;
    syncstore_status status = SYNCSTORE_OK;

    if (part->watcher == NULL) {
        status = syncstore_watch(store, NULL, on_wake, NULL, NULL, &part->watcher, NULL);
    } else if (part->done % 20 == 0) {
        syncstore_watcher_free(part->watcher);
        part->watcher = NULL;
    } else {
        status = syncstore_watcher_take(part->watcher, &changes, NULL);
        syncstore_changes_free(changes);
    }
    return status;
}

static void hear(void *user_data, const syncstore_event *event)
{
    const syncstore_change *change = syncstore_event_change(event);

    EXPECT(change == NULL || strcmp(syncstore_change_collection(change), "notes") == 0);
    ++*(unsigned long *)user_data;
}

static syncstore_status pump_some(part *part)
{
    unsigned long heard = 0;
    uint64_t subscription;
    syncstore_status status = SYNCSTORE_OK;

    if (part->events == NULL) {
        status = syncstore_events_new(store, NULL, on_wake, NULL, NULL, &part->events, NULL);
        return status == SYNCSTORE_OK ? syncstore_events_subscribe(part->events, NULL, &subscription, NULL) : status;
    }
    if (part->done % 50 == 0) {
        syncstore_events_free(part->events);
        part->events = NULL;
        return status;
    }
    status = syncstore_events_wait(part->events, 600000, NULL);
    return status == SYNCSTORE_OK ? syncstore_events_pump(part->events, 100, 5, hear, &heard, NULL, NULL, NULL) : status;
}

static void *run(void *user_data)
{
    part *part = user_data;
    syncstore_status status;

    do {
        status = part->once(part);
        EXPECT(status >= 0 || status == SYNCSTORE_CLOSED);
        part->done++;
    } while (status != SYNCSTORE_CLOSED);
    syncstore_watcher_free(part->watcher);
    syncstore_events_free(part->events);
    return NULL;
}

int main(int count, char **arguments)
{
    static syncstore_status (*const parts[THREADS])(part *) = {
        write_one, write_one, change_one, read_one, list_all, watch_some, pump_some, pump_some,
    };
    static part threads[THREADS];
    long long until;
    int i;

    EXPECT(count == 2);
    EXPECT(syncstore_open("threads.db", NULL, &store, NULL) == SYNCSTORE_OK);
    until = now_ms() + atoi(arguments[1]);
    for (i = 0; i < THREADS; i++) {
        threads[i].once = parts[i];
        threads[i].number = i;
        EXPECT(pthread_create(&threads[i].thread, NULL, run, &threads[i]) == 0);
    }
    while (now_ms() < until) {
        struct timespec moment = {0, 20000000};
        nanosleep(&moment, NULL);
    }
    EXPECT(syncstore_close(store, NULL, NULL) == SYNCSTORE_OK);
    for (i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i].thread, NULL) == 0);
        EXPECT(threads[i].done > 0);
    }
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
