// The header once more in the same program, in the other mode: the two do not meet.
#include "syncstore.hpp"
#include "syncstore.hpp"

std::size_t with_exceptions();

std::size_t with_exceptions()
{
    syncstore::store store = syncstore::store::open("second.db");
    store.set("notes", "n", "1");
    try {
        store.set("notes", "n", "{");
    } catch (const syncstore::error& failed) {
        if (failed.code() != SYNCSTORE_JSON) return 0;
    }
    return store.query("notes").run().size();
}
