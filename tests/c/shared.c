/* Eight threads on the same handles: a store, a batch that all add to, a query that all run, and rows of which each is given once. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "expect.h"

#define THREADS 8
#define ROUNDS 25

static syncstore *store;
static syncstore_batch *batch;
static syncstore_query *query;
static syncstore_rows *rows;

static void *work(void *number)
{
    syncstore_error *error = NULL;
    char key[32];
    int round;

    for (round = 0; round < ROUNDS; round++) {
        syncstore_batch *own;
        syncstore_rows *found;
        size_t before;

        snprintf(key, sizeof key, "t%d-%02d", *(int *)number, round);
        EXPECT_OK(syncstore_batch_set(batch, "shared", key, "1", 1, &error));
        EXPECT_OK(syncstore_query_run(query, &found, &error));
        before = syncstore_rows_count(found);
        syncstore_rows_free(found);
        EXPECT(before % 2 == 0);
        EXPECT_OK(syncstore_batch_new(store, &own, &error));
        EXPECT_OK(syncstore_batch_set(own, "pairs", key, "1", 1, &error));
        key[0] = 'u';
        EXPECT_OK(syncstore_batch_set(own, "pairs", key, "2", 1, &error));
        EXPECT_OK(syncstore_batch_commit(own, &error));
        EXPECT(syncstore_batch_count(own) == 2);
        syncstore_batch_free(own);
        EXPECT_OK(syncstore_query_run(query, &found, &error));
        EXPECT(syncstore_rows_count(found) >= before + 2 && syncstore_rows_count(found) % 2 == 0);
        syncstore_rows_free(found);
    }
    return NULL;
}

static void *take(void *counter)
{
    syncstore_row row;

    while (syncstore_rows_next(rows, &row) == 1) {
        EXPECT(row.key_len > 0 && row.value_len == 1);
        ++*(int *)counter;
    }
    return NULL;
}

static void run(void *(*what)(void *), int *numbers)
{
    pthread_t threads[THREADS];
    int at;

    for (at = 0; at < THREADS; at++) {
        EXPECT(pthread_create(&threads[at], NULL, what, &numbers[at]) == 0);
    }
    for (at = 0; at < THREADS; at++) {
        EXPECT(pthread_join(threads[at], NULL) == 0);
    }
}

int main(void)
{
    syncstore_error *error = NULL;
    int numbers[THREADS], taken[THREADS] = {0}, sum = 0, at;

    EXPECT_OK(syncstore_open("shared.db", NULL, &store, &error));
    EXPECT_OK(syncstore_batch_new(store, &batch, &error));
    EXPECT_OK(syncstore_query_new(store, "pairs", &query, &error));
    for (at = 0; at < THREADS; at++) {
        numbers[at] = at;
    }
    run(work, numbers);
    EXPECT_OK(syncstore_batch_commit(batch, &error));
    EXPECT(syncstore_batch_count(batch) == THREADS * ROUNDS);
    EXPECT_OK(syncstore_query_run(query, &rows, &error));
    EXPECT(syncstore_rows_count(rows) == 2 * THREADS * ROUNDS);
    run(take, taken);
    for (at = 0; at < THREADS; at++) {
        sum += taken[at];
    }
    EXPECT(sum == 2 * THREADS * ROUNDS);
    syncstore_rows_free(rows);
    syncstore_query_free(query);
    syncstore_batch_free(batch);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}
