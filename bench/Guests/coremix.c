/* A CoreMark-like mix: linked-list work, matrix multiplication, a state machine over text, and a CRC over the results. */
#include "guest.h"

struct node { struct node *next; int16 key, value; };
static struct node pool[256];
static int32 a[16 * 16], b[16 * 16], c[16 * 16];
static const char text[] = "5012,+1.5e3,-0x1f,bad,77,3.14159,+,12e,0,-9999,1.e-7,hello,42,6.02e23,-1,0.5";

static uint16 crc16(uint32 v, uint16 crc)
{
    for (int i = 0; i < 32; i++) {
        int carry = (crc ^ v) & 1;
        crc >>= 1;
        v >>= 1;
        if (carry)
            crc ^= 0xA001;
    }
    return crc;
}

static struct node *build(uint32 seed)
{
    for (int i = 0; i < 256; i++) {
        seed = seed * 1103515245u + 12345u;
        pool[i].key = (int16)(seed >> 16);
        pool[i].value = (int16)i;
        pool[i].next = i < 255 ? &pool[i + 1] : 0;
    }
    return pool;
}

static struct node *reverse(struct node *list)
{
    struct node *r = 0;
    while (list) {
        struct node *n = list->next;
        list->next = r;
        r = list;
        list = n;
    }
    return r;
}

static struct node *merge_sort(struct node *list)
{
    for (int width = 1;; width *= 2) {
        struct node *p = list, *tail = 0;
        int merges = 0;
        list = 0;
        while (p) {
            struct node *q = p;
            int left = 0, right = width;
            merges++;
            while (left < width && q) {
                left++;
                q = q->next;
            }
            while (left > 0 || (right > 0 && q)) {
                struct node *e;
                if (left == 0 || (right > 0 && q && q->key < p->key)) {
                    e = q;
                    q = q->next;
                    right--;
                } else {
                    e = p;
                    p = p->next;
                    left--;
                }
                if (tail)
                    tail->next = e;
                else
                    list = e;
                tail = e;
            }
            p = q;
        }
        tail->next = 0;
        if (merges <= 1)
            return list;
    }
}

static uint32 lists(uint32 seed)
{
    uint32 sum = 0;
    struct node *l = merge_sort(reverse(build(seed)));
    for (int i = 0; l; l = l->next, i++)
        sum += (uint32)(l->key ^ l->value) * (uint32)i;
    return sum;
}

static uint32 matrix(uint32 seed)
{
    uint32 sum = 0;
    for (int i = 0; i < 256; i++) {
        a[i] = (int16)(seed + (uint32)i * 7);
        b[i] = (int16)(seed ^ (uint32)i * 13);
    }
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            int32 t = 0;
            for (int k = 0; k < 16; k++)
                t += a[i * 16 + k] * b[k * 16 + j];
            c[i * 16 + j] = t;
        }
    for (int i = 0; i < 256; i++)
        sum += (uint32)(c[i] >> 2 & 0xFFFF) ^ (uint32)i;
    return sum;
}

enum state { START, INTEGER, FRACTION, SIGN, EXPONENT, EXPONENT_DIGITS, HEX, INVALID, STATES };

static uint32 machine(uint32 seed)
{
    uint32 counts[STATES] = { 0 };
    enum state s = START;
    for (uint32 i = 0; i < sizeof text; i++) {
        char ch = (char)(text[i] ^ (seed >> 7 & i & 1));
        int digit = ch >= '0' && ch <= '9';
        if (ch == ',' || ch == 0) {
            counts[s]++;
            s = START;
            continue;
        }
        switch (s) {
        case START: s = digit ? INTEGER : ch == '+' || ch == '-' ? SIGN : ch == '.' ? FRACTION : INVALID; break;
        case SIGN: s = digit ? INTEGER : ch == '.' ? FRACTION : INVALID; break;
        case INTEGER: s = digit ? INTEGER : ch == '.' ? FRACTION : ch == 'e' ? EXPONENT : ch == 'x' ? HEX : INVALID; break;
        case FRACTION: s = digit ? FRACTION : ch == 'e' ? EXPONENT : INVALID; break;
        case EXPONENT: s = digit || ch == '-' ? EXPONENT_DIGITS : INVALID; break;
        case EXPONENT_DIGITS: s = digit ? EXPONENT_DIGITS : INVALID; break;
        case HEX: s = digit || (ch >= 'a' && ch <= 'f') ? HEX : INVALID; break;
        default: break;
        }
    }
    uint32 sum = 0;
    for (int i = 0; i < STATES; i++)
        sum = sum * 31 + counts[i];
    return sum;
}

uint64 guest_main(void)
{
    uint16 crc = 0;
    uint32 seed = 0x3415;
    for (uint32 i = 0; i < rounds * 400; i++) {
        crc = crc16(lists(seed), crc);
        for (int j = 0; j < 8; j++)
            crc = crc16(matrix(seed + (uint32)j), crc);
        for (int j = 0; j < 24; j++)
            crc = crc16(machine(seed + (uint32)j * 131), crc);
        seed = seed * 69069u + crc;
    }
    return (uint64)seed << 16 | crc;
}
