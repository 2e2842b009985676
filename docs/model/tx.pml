/* SPDX-License-Identifier: Apache-2.0
   Transaction, undo, ring, repair. 2 writers, 2 rows/stripes, 1 keeper (drain), optional optimistic reader.
   Any writer and the keeper may die before every single store (also while repairing); DEATHS = how many deaths.
   A dead slot is taken by a new incarnation. FIXED = the protocol as built, without it a first draft that fails.
   M_xxx = one rule left out (each must fail). */
#ifndef R
#define R 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef NTX
#define NTX 1
#endif
#ifndef UNORDERED
#define UNORDERED 0
#endif
#define NW 2
#define NONE 9
#define KEEP 2
#define RDR 3
#define FREE 0
#define CLAIMED 1
#define COMMITTED 2
#define PADDING 3

#ifdef FIXED
#ifndef M_NOINTENT
#define F_INTENT
#endif
#ifndef M_NOOWNCHECK
#define F_OWNCHECK
#endif
#ifndef M_NOBUMP
#define F_BUMP
#endif
#ifndef M_NOHEAD
#define F_HEAD
#endif
#ifndef M_LSNSPLIT
#define F_LSN
#endif
#ifndef M_VALFIRST
#define F_VALLATE
#endif
#endif
/* single fixes may also be given alone: -DF_INTENT … (used to show which flaw each one removes) */

byte owner[2] = NONE; byte ver[2]; byte row[2];
byte rlock = NONE;
byte tail, head, nextlsn = 1;
byte hlsn[R], hpart[R], hst[R], pay[R];
typedef Slot { bit act; byte cnt; byte lst[2]; bit rl; byte n; byte urow[2]; byte uval[2]; byte cl = NONE };
Slot sl[NW];
byte lk[NW] = NONE; bit dd[NW];
byte deaths = DEATHS;
byte aborts = 1;
/* ghosts */
byte gc[2], ncommit, ndrained, done; bit gcomm[NW];
byte rd_ver = NONE, rd_lsn, wr_lsn[4];

#define ST(...) atomic { if :: deaths > 0 -> deaths--; goto DEAD :: true -> __VA_ARGS__ fi }
#ifdef READER
#define BUMP(s) ver[s] = ver[s] + 1
#else
#ifdef RWSKEW
#define BUMP(s) ver[s] = ver[s] + 1
#else
#define BUMP(s) skip
#endif
#endif
#ifdef F_BUMP
#define BUMPX(s) BUMP(s)
#else
#define BUMPX(s) skip
#endif
#ifdef F_OWNCHECK
#define MINE(s,d) (owner[s] == d)
#else
#define MINE(s,d) (true)
#endif

#define POISON(d) sl[d].urow[0] = 0; sl[d].uval[0] = 7; sl[d].urow[1] = 0; sl[d].uval[1] = 7   /* stale undo is garbage */
inline kernel_death(x) {               /* the life lock: a kernel-provided fact */
  atomic { q = 0;
    do :: q < NW -> if :: lk[q] == x -> lk[q] = NONE; dd[q] = 1 :: else fi; q++ :: else -> break od; q = 0 }
}
inline rel_stripes(d) {                /* by the list in the slot */
  do :: atomic { k < sl[d].cnt ->
        if :: MINE(sl[d].lst[k], d) -> ST(BUMPX(sl[d].lst[k]); owner[sl[d].lst[k]] = NONE) :: else fi; k++ }
     :: atomic { k >= sl[d].cnt -> k = 0; break } od;
  ST(sl[d].cnt = 0; sl[d].lst[0] = 0; sl[d].lst[1] = 0)
}
inline replay(d) {
  k = sl[d].n;
  do :: atomic { k > 0 -> k--; ST(assert(!gcomm[d]); row[sl[d].urow[k]] = sl[d].uval[k]) }
     :: atomic { k == 0 -> break } od
}
inline repair(d) {                     /* caller holds lk[d] */
  /* 1. decide */
  res = 0;
  if :: sl[d].cl != NONE ->
#ifdef F_HEAD
        hs = hst[sl[d].cl % R];                      /* header first, head second */
        atomic { res = (sl[d].cl < head || hs != CLAIMED); hs = 0 }
#else
        res = (hst[sl[d].cl % R] == COMMITTED)
#endif
     :: else fi;
#ifdef M_REP_PADFIRST
  if :: !res && sl[d].cl != NONE -> ST(hst[sl[d].cl % R] = PADDING) :: else fi;
#endif
#ifdef M_REP_RELFIRST
  rel_stripes(d);
#endif
  if :: !res -> replay(d) :: else fi;
#ifdef M_REP_CLAIMFIRST
  ST(sl[d].cl = NONE);
#endif
  ST(sl[d].n = 0; POISON(d));
  if :: !res && sl[d].cl != NONE -> ST(hst[sl[d].cl % R] = PADDING) :: else fi;
  ST(sl[d].cl = NONE; gcomm[d] = 0);
#ifdef F_OWNCHECK
  if :: rlock == d -> ST(rlock = NONE) :: else fi;
#else
  if :: sl[d].rl -> ST(rlock = NONE) :: else fi;
  ST(sl[d].rl = 0);
#endif
  rel_stripes(d);
  ST(sl[d].act = 0);
}
inline try_repair(d) {                 /* trylock on the life lock of d */
  if :: atomic { lk[d] == NONE -> lk[d] = me } ->
#ifdef M_CONSFIRST   /* passes: the kernel marks the lock again; only the unlock must be last */
        if :: dd[d] -> ST(dd[d] = 0); repair(d); ST(lk[d] = NONE)
#else
#ifdef M_NOMUTEX
        if :: dd[d] -> ST(lk[d] = NONE); repair(d); ST(dd[d] = 0)
#else
        if :: dd[d] -> repair(d); ST(dd[d] = 0); ST(lk[d] = NONE)
#endif
#endif
           :: else -> ST(assert(owner[0] != d && owner[1] != d && rlock != d); lk[d] = NONE)   /* clean slot owns nothing */
        fi
     :: lk[d] != NONE -> skip
  fi
}
#ifdef M_ATOMICLIST      /* CAS and list entry in one magic step: isolates the double release */
#define RLNOW sl[me].rl = 1
#define LISTNOW(s) sl[me].lst[c] = s; sl[me].cnt = c + 1
#else
#define LISTNOW(s) skip
#define RLNOW skip
#endif
inline take(s) {
#ifdef F_INTENT
  ST(sl[me].lst[c] = s; sl[me].cnt = c + 1);
#endif
  do
  :: atomic { owner[s] == NONE -> if :: deaths > 0 -> deaths--; goto DEAD :: true -> owner[s] = me; LISTNOW(s); break fi }
  :: atomic { owner[s] != NONE -> o = owner[s] };
     if :: o != me && lk[o] == NONE -> try_repair(o)
        :: o != me && lk[o] != NONE ->
           if :: c > 0 && UNORDERED -> o = 0; goto ABORT
              :: !(c > 0 && UNORDERED) -> (owner[s] != o || lk[o] == NONE) fi
        :: o == me -> assert(false)      /* owned by an earlier incarnation of this slot: leaked */
     fi; o = 0
  od;
#ifndef F_INTENT
#ifndef M_ATOMICLIST
  ST(sl[me].lst[c] = s; sl[me].cnt = c + 1);
#endif
#endif
  c++
}
#ifdef M_UNDO_N_FIRST
#define LOGUNDO(s) ST(sl[me].n = sl[me].n + 1); ST(sl[me].urow[sl[me].n - 1] = s; sl[me].uval[sl[me].n - 1] = row[s]); STORE(s)
#else
#ifdef M_STORE_BEFORE_N
#define LOGUNDO(s) ST(sl[me].urow[sl[me].n] = s; sl[me].uval[sl[me].n] = row[s]); STORE(s); ST(sl[me].n = sl[me].n + 1)
#else
#define LOGUNDO(s) ST(sl[me].urow[sl[me].n] = s; sl[me].uval[sl[me].n] = row[s]); ST(sl[me].n = sl[me].n + 1); STORE(s)
#endif
#endif
#define STORE(s) ST(assert(owner[s] == me); row[s] = row[s] + 1)

#ifdef F_LSN
#define SPACE (tail + 1 - head < R)
#else
#define SPACE (tail - head < R)
#endif
inline hdr() {
#ifdef F_LSN
  ST(assert(tail == 0 || hlsn[tail % R] == tail + 1); hlsn[tail % R] = tail + 1; hpart[tail % R] = me; hst[tail % R] = CLAIMED)
#else
  ST(hlsn[tail % R] = nextlsn; hpart[tail % R] = me; hst[tail % R] = CLAIMED)
#endif
}
inline setclaim() { ST(sl[me].cl = tail; pos = tail) }
inline advance() {
#ifdef F_LSN
  ST(hst[(tail + 1) % R] = FREE; hlsn[(tail + 1) % R] = tail + 2; hpart[(tail + 1) % R] = 0); ST(tail = tail + 1)
#else
  ST(nextlsn = nextlsn + 1); ST(tail = tail + 1)
#endif
}
inline do_claim() {
  do
  :: atomic { rlock == NONE && SPACE -> if :: deaths > 0 -> deaths--; goto DEAD :: true -> rlock = me; RLNOW; break fi }
  :: atomic { rlock != NONE -> o = rlock };
     if :: o != me && lk[o] == NONE -> try_repair(o) :: o != me && lk[o] != NONE -> (rlock != o || lk[o] == NONE)
        :: o == me -> assert(false)      /* leaked by an earlier incarnation */ fi; o = 0
  od;
#ifndef F_OWNCHECK
  ST(sl[me].rl = 1);
#endif
#ifdef M_CLAIM_BEFORE_HDR
  setclaim(); hdr(); advance();
#else
#ifdef M_TAIL_BEFORE_CLAIM
  hdr(); pos = tail; advance(); ST(sl[me].cl = pos);
#else
#ifdef M_TAIL_BEFORE_HDR
  pos = tail; ST(tail = tail + 1); ST(hlsn[pos % R] = pos + 1; hpart[pos % R] = me); ST(hst[pos % R] = CLAIMED); ST(sl[me].cl = pos);
#else
  hdr(); setclaim(); advance();
#endif
#endif
#endif
#ifdef M_ATOMICLIST
  ST(rlock = NONE; sl[me].rl = 0);
#else
  ST(rlock = NONE);
#endif
#ifndef F_OWNCHECK
  ST(sl[me].rl = 0);
#endif
}
inline ghost_commit() {
  hst[pos % R] = COMMITTED; gcomm[me] = 1; ncommit++;
  gc[first] = gc[first] + 1;
  if :: two -> gc[1 - first] = gc[1 - first] + 1 :: else fi;
#ifdef RWSKEW
  if :: me == 0 -> rd_ver = rv; rd_lsn = pos + 1; assert(wr_lsn[rv] == 0 || rd_lsn < wr_lsn[rv])
     :: else -> wr_lsn[ver[1]] = pos + 1; assert(rd_ver != ver[1] || rd_lsn < pos + 1) fi
#else
  skip
#endif
}
inline reldrop() {
  do :: atomic { k < sl[me].cnt -> ST(assert(owner[sl[me].lst[k]] == me); BUMP(sl[me].lst[k]); owner[sl[me].lst[k]] = NONE); k++ }
     :: atomic { k >= sl[me].cnt -> k = 0; break } od;
  ST(sl[me].cnt = 0; sl[me].lst[0] = 0; sl[me].lst[1] = 0)
}
#ifdef RWSKEW
#define VALID (me == 1 || (ver[1] == rv && (owner[1] == NONE || owner[1] == me)))
#else
#define VALID true
#endif

proctype W(byte me) {
  byte k, q, o, c, pos, hs, first, ntx, rv; bit res, two;
ATTACH:
  atomic { lk[me] == NONE -> lk[me] = me };
  if :: dd[me] -> repair(me); ST(dd[me] = 0) :: else fi;
BEGIN:
  atomic { c = 0; first = 0; two = 0; k = 0; o = 0; res = 0; pos = 0; hs = 0; rv = 0 };
  if :: ntx == NTX -> goto LEAVE :: else fi;
  ST(sl[me].act = 1);
#ifdef RWSKEW
  first = me;
  if :: me == 0 -> atomic { owner[1] == NONE -> rv = ver[1] } :: else fi;
#else
#ifdef READER
  atomic { first = me; two = (me == 0) };
#else
  atomic { if :: first = me; two = 0
#if UNORDERED
     :: first = me; two = 1
#else
     :: first = 0; two = 1
#endif
  fi };
#endif
#endif
  take(first); LOGUNDO(first);
  if :: two -> take(1 - first); LOGUNDO(1 - first) :: else fi;
#ifdef READER
  if :: aborts > 0 -> aborts--; goto ABORT :: true fi;
#endif
#ifndef F_VALLATE
  if :: VALID -> skip :: else -> goto ABORT fi;
#endif
#ifdef M_N0_BEFORE_COMMIT
  do_claim(); ST(pay[pos % R] = pos + 1); ST(sl[me].n = 0; POISON(me)); ST(ghost_commit()); ST(sl[me].cl = NONE; gcomm[me] = 0); reldrop();
#else
#ifdef M_REL_BEFORE_PUBLISH
  do_claim(); ST(pay[pos % R] = pos + 1); reldrop(); ST(ghost_commit()); ST(sl[me].n = 0; POISON(me)); ST(sl[me].cl = NONE; gcomm[me] = 0);
#else
#ifdef M_CLAIM0_BEFORE_N0
  do_claim(); ST(pay[pos % R] = pos + 1); ST(ghost_commit()); ST(sl[me].cl = NONE); ST(sl[me].n = 0; POISON(me); gcomm[me] = 0); reldrop();
#else
#ifdef M_PUBLISH_BEFORE_COPY
  do_claim(); ST(ghost_commit()); ST(pay[pos % R] = pos + 1); ST(sl[me].n = 0; POISON(me)); ST(sl[me].cl = NONE; gcomm[me] = 0); reldrop();
#else
  do_claim();
#ifdef F_VALLATE
#ifdef RWSKEW
  if :: VALID -> skip
     :: else -> replay(me); ST(sl[me].n = 0; POISON(me)); ST(hst[pos % R] = PADDING); ST(sl[me].cl = NONE); rel_stripes(me); ST(sl[me].act = 0); goto BEGIN fi;
#endif
#endif
  ST(pay[pos % R] = pos + 1);
  ST(ghost_commit());
  ST(sl[me].n = 0; POISON(me));
  ST(sl[me].cl = NONE; gcomm[me] = 0);
  reldrop();
#endif
#endif
#endif
#endif
  ST(sl[me].act = 0);
  ntx++;
  goto BEGIN;
ABORT:
  o = 0;
  replay(me); ST(sl[me].n = 0; POISON(me)); rel_stripes(me); ST(sl[me].act = 0);
  goto BEGIN;
DEAD:
  kernel_death(me);
  /* what was committed before death counts as one of this process's transactions */
  atomic { if :: gcomm[me] && ntx < NTX -> ntx++ :: else fi };
  goto ATTACH;
LEAVE:
  atomic { lk[me] = NONE; done++ }
}

proctype K() {
  byte k, q, p, hs; bit res; byte me = KEEP;
TOP:
  do
  :: head < tail && hst[head % R] == CLAIMED ->
#ifdef M_DRAIN_PASS
     atomic { head = head + 1 }
#else
     p = hpart[head % R];
     if :: lk[p] == NONE -> try_repair(p) :: lk[p] != NONE -> (hst[head % R] != CLAIMED || lk[p] == NONE) fi; p = 0
#endif
  :: head < tail && hst[head % R] != CLAIMED ->
     assert(hst[head % R] == COMMITTED || hst[head % R] == PADDING);
     assert(hlsn[head % R] == head + 1);
     ST(if :: hst[head % R] == COMMITTED -> assert(pay[head % R] == head + 1); ndrained++ :: else fi; head = head + 1)
  :: done == NW && head == tail -> break
  od;
  assert(owner[0] == NONE && owner[1] == NONE && rlock == NONE);
  assert(row[0] == gc[0] && row[1] == gc[1]);
  assert(ndrained == ncommit);
  assert(sl[0].cl == NONE && sl[1].cl == NONE && sl[0].n == 0 && sl[1].n == 0 && !sl[0].act && !sl[1].act);
  goto END;
DEAD:
  kernel_death(KEEP); p = 0; hs = 0; k = 0; res = 0;
  goto TOP;
END: skip
}

#ifdef READER
proctype Rd() {                        /* one attempt, starting at any time: a retry is another start */
  byte w0, w1, a;
  atomic { owner[0] == NONE -> w0 = ver[0] };
  a = row[0];
  atomic { owner[1] == NONE -> w1 = ver[1] };
  a = a + 8 * row[1];
  if :: atomic { owner[0] == NONE && ver[0] == w0 -> skip } :: atomic { else -> goto OUT } fi;
  if :: atomic { owner[1] == NONE && ver[1] == w1 -> assert(a % 8 <= gc[0] && a / 8 <= gc[1]) } :: atomic { else -> skip } fi;   /* only committed values validate */
OUT: skip
}
#endif
init {
  atomic { run W(0); run W(1); run K();
#ifdef READER
  run Rd();
#endif
  }
}
