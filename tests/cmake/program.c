/* As small as a program can be that has the library in it: writes an item, and reads it back. */
#include <stdio.h>
#include <string.h>
#include <syncstore.h>

int main(int argc, char **argv)
{
    syncstore *store;
    syncstore_text json;

    if (argc != 2 || strcmp(syncstore_version(), SYNCSTORE_VERSION) != 0) {
        return 2;
    }
    if (syncstore_open(argv[1], NULL, &store, NULL) != SYNCSTORE_OK) {
        return 3;
    }
    if (syncstore_set(store, "notes", "n1", "\"Milk\"", 6, NULL, NULL) != SYNCSTORE_OK) {
        return 4;
    }
    if (syncstore_get(store, "notes", "n1", &json, NULL) != SYNCSTORE_OK) {
        return 5;
    }
    printf("syncstore %s: %s\n", syncstore_version(), json.data);
    syncstore_text_free(&json);
    syncstore_free(store);
    return syncstore_live_handles() == 0 ? 0 : 6;
}
