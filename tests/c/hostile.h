/* Draws values that no well-meaning program gives. What is drawn depends on the number of the case alone, so that each can be looked at by itself; or on
 * the bytes of an input, which a fuzzer makes up. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "expect.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A text of so many bytes, with a NUL behind it. */
typedef struct text {
    const char *data;
    size_t len;
} text;

/* The longest text that is made of others. */
#define SCRATCH 4096
/* Longer than anything may be that is a name. */
#define LONG 70000

static syncstore_error *error = NULL;
static unsigned long hostile_case = 0;
static uint64_t hostile_state = 1;

/* The token of the last page, and the ref of the last operation. */
static char last_token[SCRATCH];
static size_t last_token_len = 0;
static syncstore_ref last_op;

/* What is left of an input; NULL: there is none. */
static const uint8_t *hostile_input = NULL;
static size_t hostile_input_len = 0;

static inline void begin_case(unsigned long number)
{
    hostile_case = number;
    hostile_state = ((uint64_t)number + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Of as many bytes as the number may need; behind the last one everything is 0. */
static inline uint32_t draw_from_input(uint32_t below)
{
    size_t bytes = below <= 1u << 8 ? 1 : below <= 1u << 16 ? 2 : 4;
    uint32_t drawn = 0;

    for (; bytes > 0 && hostile_input_len > 0; bytes--, hostile_input_len--) {
        drawn = drawn << 8 | *hostile_input++;
    }
    return drawn % below;
}

static inline uint32_t draw(uint32_t below)
{
    if (hostile_input != NULL) {
        return draw_from_input(below);
    }
    hostile_state ^= hostile_state >> 12;
    hostile_state ^= hostile_state << 25;
    hostile_state ^= hostile_state >> 27;
    return (uint32_t)((hostile_state * UINT64_C(2685821657736338717)) >> 32) % below;
}

static inline uint64_t draw_bits(void)
{
    return ((uint64_t)draw(UINT32_MAX) << 32) ^ ((uint64_t)draw(UINT32_MAX) << 8) ^ draw(256);
}

static inline int64_t draw_number(void)
{
    static const int64_t EDGES[] = {0,         1,         -1,        -2,        2,          7,         1000,
                                    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, UINT32_MAX, INT64_MAX - 1};
    return draw(4) == 0 ? (int64_t)draw_bits() : EDGES[draw(COUNT(EDGES))];
}

/* For a member of options, of which a wrong one is enough to have the rest left unread: the default, but now and then. */
static inline int64_t draw_option(void)
{
    return draw(3) == 0 ? draw_number() : 0;
}

static inline double draw_real(void)
{
    /* 0, -0, the infinities, two that are no numbers, the least, and the largest. */
    static const uint64_t EDGES[] = {UINT64_C(0),
                                     UINT64_C(1) << 63,
                                     UINT64_C(0x7ff0000000000000),
                                     UINT64_C(0xfff0000000000000),
                                     UINT64_C(0x7ff8000000000000),
                                     UINT64_C(0xfff0000000000001),
                                     UINT64_C(1),
                                     UINT64_C(0x7fefffffffffffff)};
    uint64_t bits = draw(3) == 0 ? draw_bits() : EDGES[draw(COUNT(EDGES))];
    double real;

    memcpy(&real, &bits, sizeof real);
    return real;
}

#define TEXT(literal) {literal, sizeof literal - 1}

static const text SEEDS[] = {
    TEXT(""), TEXT("a"), TEXT("c"), TEXT("k01"), TEXT("k29"), TEXT("by"), TEXT("hand"), TEXT("s"), TEXT("in"), TEXT("w"),
    /* A NUL within, no UTF-8, half a character, half of a pair, the last character, and what indexes mark their values with. */
    TEXT("a\0b"), TEXT("\0"), TEXT("\xc3\x28"), TEXT("\xff"), TEXT("\xe2\x82"), TEXT("\xed\xa0\x80"), TEXT("\xf4\x8f\xbf\xbf"),
    TEXT("\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"), TEXT("\x01n2432c000000000000000"), TEXT("\x01t8000000000000000"), TEXT("\x01"), TEXT("\x02"),
    TEXT("\x7f"), TEXT("\xc2\x80"), TEXT("\xcc\x81"), TEXT("\n"), TEXT(" "),
    /* JSON, pointers, patches. */
    TEXT("null"), TEXT("1"), TEXT("-0.0"), TEXT("1e999"), TEXT("18446744073709551616"), TEXT("\"x\""), TEXT("\"\\ud800\""), TEXT("{\"x\":1,\"x\":2}"),
    TEXT("{\"seconds\":-1,\"nanos\":999999999}"), TEXT("{\"seconds\":9223372036854775807}"), TEXT("[[[[[[[["), TEXT("[]"), TEXT("{}"), TEXT("/x"), TEXT("/x/0"),
    TEXT("/0/1/2/3"), TEXT("/~"), TEXT("/~1~0"), TEXT("/-"), TEXT("/it's"), TEXT("/\""),
    TEXT("[{\"op\":\"remove\",\"path\":\"/x\"}]"), TEXT("[{\"op\":\"test\",\"path\":\"\",\"value\":null}]"), TEXT("[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/x\"}]"),
    TEXT("[{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/x/y\"}]"), TEXT("[{\"op\":\"add\",\"path\":\"/l/99999999999999999999\",\"value\":1}]"),
    /* Tokens, dates, filters, refs. */
    TEXT("k"), TEXT("kk01"), TEXT("i"), TEXT("i1:"), TEXT("i-1:a"), TEXT("i99999999999999999999:a"), TEXT("i3:\xc3\xa4\xc3\xa4k"), TEXT("i+1:ak"),
    TEXT("2026"), TEXT("2026-02-30"), TEXT("9999-12-31T23:59:60Z"), TEXT("0000-01-01T00:00:00+23:59"), TEXT("2026-12-24T18:30:15.25"),
    TEXT("c:k,c"), TEXT("c:k:k"), TEXT("\\"), TEXT(",,,"), TEXT("00000000-0000-7000-8000-000000000000"),
    /* SQL and FTS5. */
    TEXT("'"), TEXT("\""), TEXT("%"), TEXT("*"), TEXT("--"), TEXT(";"), TEXT(":a"), TEXT("?1"), TEXT("SELECT 1"), TEXT("SELECT 1; SELECT 2"),
    TEXT("EXPLAIN SELECT 1"), TEXT("PRAGMA query_only = 0"), TEXT("ATTACH ':memory:' AS x"), TEXT("SELECT * FROM sqlite_schema"), TEXT("DELETE FROM items"),
    TEXT("word*"), TEXT("\"word"), TEXT("NEAR("), TEXT("NEAR(a b, 99999999999)"), TEXT("f0: word"), TEXT("f9: x"), TEXT("{f0 f1}: x"), TEXT("^word"), TEXT("- f0: x"), TEXT("AND OR NOT"),
    TEXT("((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((")};

/* So many bytes of 'a', with a NUL behind them; never freed. */
static inline text repeated(size_t len)
{
    char *data = malloc(len + 1);
    text made = {data, len};

    EXPECT(data != NULL);
    memset(data, 'a', len);
    data[len] = '\0';
    return made;
}

static inline text flipped(char *data, size_t len)
{
    text made = {data, len};
    uint32_t flips = draw(3) == 0 ? 1 + draw(3) : 0;

    for (; len > 0 && flips > 0; flips--) {
        data[draw((uint32_t)len)] ^= (char)(1 << draw(8));
    }
    data[len] = '\0';
    return made;
}

/* Valid until a dozen others were drawn. */
static inline text draw_text(void)
{
    static char ring[16][SCRATCH + 1];
    static unsigned at = 0;
    static text longest = {NULL, 0};
    char *to = ring[at++ % COUNT(ring)];
    size_t len = 0, parts = draw(6) == 0 ? 2 : 1, place;

    if (longest.data == NULL) {
        longest = repeated(LONG);
    }
    switch (draw(40)) {
    case 0:
        return longest;
    case 1: {
        text none = {NULL, draw(2)};
        return none;
    }
    case 2: /* The longest name, and one more. */
        len = 128 + draw(2);
        memset(to, 'n', len);
        return flipped(to, len);
    case 3:
        for (len = draw(24), place = 0; place < len; place++) {
            to[place] = (char)draw(256);
        }
        return flipped(to, len);
    default:
        break;
    }
    for (; parts > 0; parts--) {
        text seed = SEEDS[draw(COUNT(SEEDS))];
        memcpy(to + len, seed.data, seed.len);
        len += seed.len;
    }
    return flipped(to, draw(8) == 0 ? draw((uint32_t)len + 1) : len);
}

static inline const char *draw_name(void)
{
    return draw_text().data;
}

/* The one, as often as not. */
static inline const char *draw_name_or(const char *usual)
{
    return draw(2) == 0 ? usual : draw_name();
}

static inline text draw_token(void)
{
    static char token[SCRATCH + 1];

    if (last_token_len == 0 || draw(3) == 0) {
        return draw_text();
    }
    memcpy(token, last_token, last_token_len);
    return flipped(token, draw(8) == 0 ? draw((uint32_t)last_token_len) : last_token_len);
}

static inline syncstore_ref draw_ref(void)
{
    syncstore_ref op = last_op;
    size_t place;

    if (draw(3) == 0) {
        for (place = 0; place < sizeof op.bytes; place++) {
            op.bytes[place] = (uint8_t)draw(256);
        }
    } else if (draw(2) == 0) {
        op.bytes[draw(sizeof op.bytes)] ^= (uint8_t)(1 << draw(8));
    }
    return op;
}

/* What a call answered: one of these, with an error exactly where that is below 0. */
static inline syncstore_status judged(syncstore_status status, const syncstore_status *allowed, size_t count, const char *call, int line)
{
    size_t place = 0;

    while (place < count && allowed[place] != status) {
        place++;
    }
    if (place == count || (error != NULL) != (status < 0) || syncstore_error_code(error) != (status < 0 ? status : SYNCSTORE_OK)
        || (status < 0 && syncstore_error_message(error)[0] == '\0')) {
        fprintf(stderr, "case %lu, line %d: %s (%s): %s\n", hostile_case, line, syncstore_status_name(status), syncstore_error_message(error), call);
        exit(1);
    }
    syncstore_error_free(error);
    error = NULL;
    return status;
}

/* A call that answers SYNCSTORE_OK, SYNCSTORE_MISUSE, or one of these; what it answered. */
#define ALLOWED(call, ...) \
    judged((call), (const syncstore_status[]){SYNCSTORE_OK, SYNCSTORE_MISUSE, __VA_ARGS__}, COUNT(((const syncstore_status[]){SYNCSTORE_OK, SYNCSTORE_MISUSE, __VA_ARGS__})), #call, __LINE__)

/* Nothing but those two. */
#define FINE(call) ALLOWED(call, SYNCSTORE_OK)

#endif
