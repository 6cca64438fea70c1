// The same as program.c in C++.
#include <iostream>
#include <syncstore.hpp>

static int run(const char *path)
{
    syncstore::store store = syncstore::store::open(path);
    store.set("notes", "n1", "\"Milk\"");
    const auto json = store.get("notes", "n1");
    if (!json || json->view() != "\"Milk\"") {
        return 3;
    }
    std::cout << "syncstore " << syncstore_version() << ": " << json->view() << '\n';
    return 0;
}

int main(int argc, char **argv)
{
    const int how = argc == 2 ? run(argv[1]) : 2;
    return how != 0 ? how : syncstore_live_handles() == 0 ? 0 : 6;
}
