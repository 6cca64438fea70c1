// What a C++ test program is made with: the first thing that is not as expected ends it with its place.
#ifndef EXPECT_HPP
#define EXPECT_HPP

#include "syncstore.hpp"

#include <cstdio>
#include <cstdlib>

#define EXPECT(...)                                                                      \
    do {                                                                                 \
        if (!(__VA_ARGS__)) {                                                            \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
            std::exit(1);                                                                \
        }                                                                                \
    } while (0)

// A call that throws an error of this code.
#define EXPECT_THROWS(expected, ...)                                                     \
    do {                                                                                 \
        syncstore_status code_ = SYNCSTORE_OK;                                           \
        std::string words_;                                                              \
        try {                                                                            \
            (void)(__VA_ARGS__);                                                         \
        } catch (const syncstore::error& failed_) {                                      \
            code_ = failed_.code();                                                      \
            words_ = failed_.what();                                                     \
        }                                                                                \
        if (code_ != (expected)) {                                                       \
            std::fprintf(stderr, "%s:%d: %s (%s), not %s: %s\n", __FILE__, __LINE__, \
                syncstore_status_name(code_), words_.c_str(), syncstore_status_name(expected), #__VA_ARGS__); \
            std::exit(1);                                                                \
        }                                                                                \
    } while (0)

#endif
