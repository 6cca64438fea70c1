/*
 * Events from a loop of 16 ms, as a window or a game has one: each turn handles the input, pumps what the store tells, for a few milliseconds at most, and draws.
 *
 *     pump URL TOKEN
 *
 * URL is that of a server which has the database "notes", TOKEN a credential for it; docs/C-API.md says how to start one, which takes any. The replica is the file pump.db in the
 * working directory. It ends when what it wrote is accepted, or after a minute. Build it with
 *
 *     cc -Iinclude examples/c/pump.c -lsyncstore -o pump
 */
#define _POSIX_C_SOURCE 200809L
#include "syncstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the window shows. Only the loop's thread touches it, since events are handed out there. */
typedef struct {
    int must_draw;
    syncstore_ref awaited;
    int accepted;
    int lost;
} window;

/*
 * A call that is not expected to fail: what it says, and the end. The error comes by its address: C does not say which argument is worked out first, so the variable
 * itself might be read before the call has put anything into it.
 */
static void check(syncstore_status status, syncstore_error **error, const char *doing)
{
    if (status < 0) {
        fprintf(stderr, "%s: %s (%s)\n", doing, syncstore_error_message(*error), syncstore_status_name(status));
        syncstore_error_free(*error);
        exit(1);
    }
}

static void told(void *user_data, const syncstore_event *event)
{
    window *shown = user_data;
    syncstore_ref op;

    switch (syncstore_event_kind_of(event)) {
    case SYNCSTORE_EVENT_CHANGED:
        printf("changed: %s\n", syncstore_change_key(syncstore_event_change(event)));
        shown->must_draw = 1;
        break;
    case SYNCSTORE_EVENT_OVERFLOWED: /* It is not known what: all of it is read again. */
        shown->must_draw = 1;
        break;
    case SYNCSTORE_EVENT_SETTLED:
        if (syncstore_event_ref(event, &op) && memcmp(&op, &shown->awaited, sizeof op) == 0) {
            int kind = syncstore_outcome_kind_of(syncstore_event_outcome(event));
            shown->accepted = kind == SYNCSTORE_OUTCOME_ACCEPTED;
            shown->lost = !shown->accepted;
        }
        break;
    case SYNCSTORE_EVENT_LOG:
        fprintf(stderr, "%s\n", syncstore_event_log_line(event));
        break;
    default: /* A later version may tell of other things. */
        break;
    }
}

static void draw(syncstore *store)
{
    syncstore_error *error;
    syncstore_rows *rows;
    syncstore_row row;

    check(syncstore_list(store, "notes", NULL, &rows, &error), &error, "list");
    while (syncstore_rows_next(rows, &row)) {
        printf("  %.*s %.*s\n", (int)row.key_len, row.key, (int)row.value_len, row.value);
    }
    syncstore_rows_free(rows);
}

int main(int count, char **arguments)
{
    static const char note[] = "{\"title\":\"From the loop\"}";
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_watch_options notes = SYNCSTORE_WATCH_OPTIONS_INIT;
    syncstore_error *error;
    syncstore *store;
    syncstore_wire *wire;
    syncstore_events *events;
    window shown;
    uint64_t subscription;
    int turn;

    if (count < 3) {
        fprintf(stderr, "usage: pump URL TOKEN\n");
        return 2;
    }
    memset(&shown, 0, sizeof shown);
    check(syncstore_open("pump.db", NULL, &store, &error), &error, "open");
    check(syncstore_events_new(store, NULL, NULL, NULL, NULL, &events, &error), &error, "events");
    notes.collection = "notes";
    check(syncstore_events_subscribe(events, &notes, &subscription, &error), &error, "subscribe");
    options.bearer_token = arguments[2];
    check(syncstore_wire_http(arguments[1], "notes", &options, &wire, &error), &error, "wire");
    check(syncstore_start(store, wire, NULL, &error), &error, "start");
    syncstore_wire_free(wire);

    for (turn = 0; turn < 60 * 1000 / 16 && !shown.accepted && !shown.lost; turn++) {
        struct timespec frame = {0, 16 * 1000 * 1000};

        if (turn == 3) { /* Somebody typed something. */
            check(syncstore_set(store, "notes", "loop", note, strlen(note), &shown.awaited, &error), &error, "write");
        }
        /* What is left over comes with the next turn. */
        check(syncstore_events_pump(events, 100, 4, told, &shown, NULL, NULL, &error), &error, "pump");
        if (shown.must_draw) {
            draw(store);
            shown.must_draw = 0;
        }
        nanosleep(&frame, NULL);
    }
    printf("%s\n", shown.accepted ? "the server has it" : "the server has not taken it");

    syncstore_events_free(events);
    syncstore_free(store);
    return shown.accepted && syncstore_live_handles() == 0 ? 0 : 1;
}
