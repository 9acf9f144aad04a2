/* The ring's protocol: one writer, one reader, memory that may show stores late and out of order.
 *
 * A frame's pixels and HUD are one word each, both equal to the frame's number; the checksum is
 * perfect. Stores wait in queues and reach memory at any later moment: in one common queue in
 * program order (x86-64), or with WEAK in a queue of each location, in any order between them.
 *
 *   spin -run ring.pml                           x86-64, as the code is: no error
 *   spin -DWEAK -DFENCES -run ring.pml           any processor, with fences: no error
 *   spin -DWEAK -DCRC -DSLOTS=1 -DFRAMES=2 -DLOOKS=2 -run ring.pml
 *                                                any processor, with the checksum: no error
 *
 * Each of these must find an error:
 *   -DNO_ODD, -DNO_RECHECK                       the odd mark, the second look at the sequence
 *   -DWEAK                                       neither fences nor checksum
 *   -DWEAK -DFENCES -DNO_F1 (or NO_F2, NO_R2)
 *        F1 odd mark before pixels, F2 pixels before even mark, R2 pixels before the second look
 *   -DWEAK -DCRC -DNO_NUMBER                     the frame's number left out of the checksum
 *
 * Two orders are not needed. -DWEAK -DFENCES -DNO_F3 (even mark before head): a reader that sees
 * the head early finds another sequence in the slot and refuses. -DWEAK -DFENCES -DNO_R1 (sequence
 * before pixels): where the pixels lie follows from the head, so they are read after it anyway.
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef LOOKS
#define LOOKS 3
#endif

#define SEQ(k)    (k)
#define PIXELS(k) (SLOTS + (k))
#define HUD(k)    (2 * SLOTS + (k))
#define SUM(k)    (3 * SLOTS + (k))
#define HEAD      (4 * SLOTS)
#define PLACES    (4 * SLOTS + 1)

byte memory[PLACES];

#ifdef WEAK
chan waiting[PLACES] = [2] of { byte };
#define STORE(place, value) waiting[place] ! value
#define DRAINED(place) (len(waiting[place]) == 0)
#else
chan waiting = [12] of { byte, byte };
#define STORE(place, value) waiting ! place, value
#endif

#if defined(WEAK) && defined(FENCES)
#define FENCE(place) DRAINED(place)
#else
#define FENCE(place) skip
#endif

#if defined(CRC) && defined(NO_NUMBER)
#define INTACT (pixels == sum && hud == sum)
#elif defined(CRC)
#define INTACT (pixels == sum && hud == sum && sum == head)
#else
#define INTACT true
#endif

active proctype writer() {
    byte n = 1, k;
    do
    :: n <= FRAMES ->
        k = n % SLOTS;
#ifndef NO_ODD
        STORE(SEQ(k), 2 * n - 1);
#endif
#ifndef NO_F1
        FENCE(SEQ(k));
#endif
        STORE(PIXELS(k), n);
        STORE(HUD(k), n);
#ifdef CRC
        STORE(SUM(k), n);
#endif
#ifndef NO_F2
        FENCE(PIXELS(k)); FENCE(HUD(k));
#endif
        STORE(SEQ(k), 2 * n);
#ifndef NO_F3
        FENCE(SEQ(k));
#endif
        STORE(HEAD, n);
        n++
    :: else -> break
    od
}

active proctype stores() {
    byte place, value;
#ifdef WEAK
end:
    do
    :: atomic {
        select(place : 0 .. (PLACES - 1));
        if
        :: waiting[place] ? value -> memory[place] = value
        :: empty(waiting[place]) -> skip
        fi
       }
    od
#else
end:
    do
    :: atomic { waiting ? place, value -> memory[place] = value }
    od
#endif
}

active proctype reader() {
    byte look = 0, head, first, second, pixels, hud, sum, k, last = 0;
    do
    :: look < LOOKS ->
        look++;
        head = memory[HEAD];
        k = head % SLOTS;
        if
        :: head > last ->
#ifdef NO_R1
            pixels = memory[PIXELS(k)];
            first = memory[SEQ(k)];
#else
            first = memory[SEQ(k)];
            pixels = memory[PIXELS(k)];
#endif
#ifdef NO_R2
            second = memory[SEQ(k)];
            hud = memory[HUD(k)];
#else
            hud = memory[HUD(k)];
            sum = memory[SUM(k)];
            second = memory[SEQ(k)];
#endif
#ifdef NO_RECHECK
            second = first;
#endif
            if
            :: first == 2 * head && second == first && INTACT ->
                assert(pixels == hud);   /* torn, or the HUD of another frame */
                assert(pixels == head);  /* an older frame under a newer number */
                last = head
            :: else -> skip
            fi
        :: else -> skip
        fi
    :: else -> break
    od
}
