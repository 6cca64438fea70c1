/*
 * Notes on two devices: both write while they are offline, then sync, and each is told what became of what it wrote.
 *
 *     notes URL TOKEN
 *
 * URL is that of a server which has the database "notes", TOKEN a credential for it; docs/C-API.md says how to start one, which takes any. The replicas are the files laptop.db and
 * phone.db in the working directory; run it again, and they go on from where they are. Build it with
 *
 *     cc -Iinclude examples/c/notes.c -lsyncstore -o notes
 */
#include "syncstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A call that is not expected to fail: what it says, and the end. The error comes by its address: C does not say which argument is worked out first, so the variable
 * itself might be read before the call has put anything into it.
 */
static void check(syncstore_status status, syncstore_error **error, const char *doing)
{
    if (status >= 0) {
        return;
    }
    fprintf(stderr, "%s: %s (%s)\n", doing, syncstore_error_message(*error), syncstore_status_name(status));
    if (syncstore_error_retryable(*error)) {
        fprintf(stderr, "It may work later. Nothing that was written is lost.\n");
    }
    syncstore_error_free(*error);
    exit(1);
}

static syncstore *open_replica(const char *path)
{
    syncstore_error *error;
    syncstore *store;

    check(syncstore_open(path, NULL, &store, &error), &error, path);
    return store;
}

/* Reads and writes need no server: this is done when it comes back. */
static syncstore_ref write_note(syncstore *store, const char *key, const char *json)
{
    syncstore_error *error;
    syncstore_ref op;

    check(syncstore_set(store, "notes", key, json, strlen(json), &op, &error), &error, "write");
    return op;
}

static syncstore_ref change_title(syncstore *store, const char *key, const char *title)
{
    syncstore_error *error;
    syncstore_ref op;
    char patch[200];

    /* A patch travels as it is: what others change in the same note stays. The title here has nothing that JSON would escape. */
    snprintf(patch, sizeof patch, "[{\"op\":\"add\",\"path\":\"/title\",\"value\":\"%s\"}]", title);
    check(syncstore_patch(store, "notes", key, patch, strlen(patch), &op, &error), &error, "change");
    return op;
}

static void sync_now(syncstore *store, const syncstore_wire *wire, const char *whose)
{
    syncstore_error *error;
    syncstore_report *report;

    check(syncstore_sync(store, wire, NULL, NULL, NULL, &report, &error), &error, "sync");
    printf("%s: sent %llu, accepted %llu, rejected %llu, read %llu\n", whose,
           (unsigned long long)syncstore_report_pushed(report), (unsigned long long)syncstore_report_accepted(report),
           (unsigned long long)syncstore_report_rejected(report),
           (unsigned long long)(syncstore_report_pulled(report) + syncstore_report_loaded(report)));
    syncstore_report_free(report);
}

static void list_notes(syncstore *store, const char *whose)
{
    syncstore_error *error;
    syncstore_rows *rows;
    syncstore_row row;

    check(syncstore_list(store, "notes", NULL, &rows, &error), &error, "list");
    printf("%s has %zu notes\n", whose, syncstore_rows_count(rows));
    while (syncstore_rows_next(rows, &row)) {
        /* The texts have lengths, and no NUL behind them. */
        printf("  %.*s %.*s\n", (int)row.key_len, row.key, (int)row.value_len, row.value);
    }
    syncstore_rows_free(rows);
}

/* What became of a write; answers whether the server took it. */
static int tell(syncstore *store, const syncstore_ref *op, const char *what)
{
    syncstore_error *error;
    syncstore_outcome *outcome;
    syncstore_status status = syncstore_outcome_of(store, op, &outcome, &error);
    int accepted = 0;

    check(status, &error, "outcome");
    if (status == SYNCSTORE_NOT_FOUND) {
        printf("%s: not known any more\n", what);
        return 0;
    }
    switch (syncstore_outcome_kind_of(outcome)) {
    case SYNCSTORE_OUTCOME_ACCEPTED:
        printf("%s: accepted, place %llu in the log\n", what, (unsigned long long)syncstore_outcome_seq(outcome));
        accepted = 1;
        break;
    case SYNCSTORE_OUTCOME_REJECTED:
        printf("%s: rejected as %s: %s\n", what, syncstore_outcome_code(outcome), syncstore_outcome_message(outcome));
        break;
    default: /* A later version may know others. */
        printf("%s: still on its way\n", what);
        break;
    }
    syncstore_outcome_free(outcome);
    return accepted;
}

int main(int count, char **arguments)
{
    syncstore_http_options options = SYNCSTORE_HTTP_OPTIONS_INIT;
    syncstore_error *error;
    syncstore_wire *wire;
    syncstore *laptop, *phone;
    syncstore_ref milk, bread, late, title;
    uint64_t pending;
    int as_meant;

    if (count < 3) {
        fprintf(stderr, "usage: notes URL TOKEN\n");
        return 2;
    }
    laptop = open_replica("laptop.db");
    phone = open_replica("phone.db");

    /* Nobody is connected yet. */
    milk = write_note(laptop, "milk", "{\"title\":\"Milk\",\"done\":false}");
    bread = write_note(phone, "bread", "{\"title\":\"Bread\",\"done\":false}");
    check(syncstore_pending_count(laptop, &pending, &error), &error, "count");
    printf("laptop has %llu writes to send\n", (unsigned long long)pending);

    options.bearer_token = arguments[2];
    check(syncstore_wire_http(arguments[1], "notes", &options, &wire, &error), &error, "wire");
    sync_now(laptop, wire, "laptop");
    sync_now(phone, wire, "phone");
    sync_now(laptop, wire, "laptop");
    as_meant = tell(laptop, &milk, "milk of the laptop") & tell(phone, &bread, "bread of the phone");

    /* Offline again: both change one note, in different places, and the phone deletes what the laptop changes. */
    title = change_title(laptop, "milk", "Oat milk");
    late = change_title(laptop, "bread", "Rye bread");
    check(syncstore_delete(phone, "notes", "bread", NULL, &error), &error, "delete");
    sync_now(phone, wire, "phone");
    sync_now(laptop, wire, "laptop");
    sync_now(phone, wire, "phone");
    as_meant &= tell(laptop, &title, "the new title of milk");
    as_meant &= !tell(laptop, &late, "the new title of bread");

    list_notes(laptop, "laptop");
    list_notes(phone, "phone");

    syncstore_wire_free(wire);
    syncstore_free(laptop);
    syncstore_free(phone);
    return as_meant && syncstore_live_handles() == 0 ? 0 : 1;
}
