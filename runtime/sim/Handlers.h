// SPDX-License-Identifier: Apache-2.0
// The handlers of instructions that reach beyond registers; the table points at them, the files named here define them.
#pragma once

#include "runtime/sim/Table.h"

namespace attn::sim {

// Letters are those of Op. "vector n" is the n-th vector operand: Module::lists[op.list + sizes before it ...].

/// Memory.cpp
namespace memory {
void load(Warp &, const Op &, Mask);   // ld: vector 0 destinations (one element if not .v), [a]; types[0] of an element
void store(Warp &, const Op &, Mask);  // st: [a], vector 0 sources (rows; immediates are constants)
void atomic(Warp &, const Op &, Mask); // atom: vector 0 destinations, [a], vector 1 b, vector 2 c (cas only)
void reduce(Warp &, const Op &, Mask); // red: [a], vector 0 b
void prefetch(Warp &, const Op &, Mask);        // prefetch prefetchu applypriority: [a]; checks the address
void discard(Warp &, const Op &, Mask);         // discard: [a]; 128 bytes become uninitialised
void createPolicy(Warp &, const Op &, Mask);    // createpolicy: d is a 64-bit policy without meaning
void convertAddress(Warp &, const Op &, Mask);  // cvta{.to}: d, a (a register or constant); form space, to
void addressOf(Warp &, const Op &, Mask);       // mov d, local variable: imm is its byte in the frame of the function
void isSpace(Warp &, const Op &, Mask);         // isspacep: d predicate, a; form space
void mapToRank(Warp &, const Op &, Mask);       // mapa: d, a, b rank; types[0] is the width
void rankOf(Warp &, const Op &, Mask);          // getctarank: d, a
void fence(Warp &, const Op &, Mask);           // fence.acq_rel/.sc, membar: semantics, scope
void proxyFence(Warp &, const Op &, Mask);      // fence.proxy.async: form space: Generic (all), Shared, Global
void mbarrierInitFence(Warp &, const Op &, Mask); // fence.mbarrier_init
} // namespace memory

/// Async.cpp
namespace async {
void copy(Warp &, const Op &, Mask);      // cp.async: [a] shared, [b] global, vector-free; e: constant size 4 8 16; c:
                                          // source size if present bit c; q: ignore-source predicate if present bit q
void commitGroup(Warp &, const Op &, Mask); // cp.async.commit_group
void waitGroup(Warp &, const Op &, Mask);   // cp.async.wait_group a (constant row), cp.async.wait_all (form all)
void mbarrierArriveOn(Warp &, const Op &, Mask); // cp.async.mbarrier.arrive{.noinc}: [a]
void bulkCopy(Warp &, const Op &, Mask); // cp.async.bulk: [a] dst, [b] src, e size, [c] mbarrier unless bulkGroup; b16
                                         // multicast mask dst2 if present bit q
void bulkReduce(Warp &, const Op &, Mask);    // cp.reduce.async.bulk: [a], [b], e size; form reduce, types[0]
void bulkPrefetch(Warp &, const Op &, Mask);  // cp.async.bulk.prefetch.L2: [a], e size
void tensorLoad(Warp &, const Op &, Mask);    // cp.async.bulk.tensor.Nd shared<-global: [a] dst, [b] map, vector 0
                                              // coordinates, [c] mbarrier, dst2 mask if present bit q; form n
void tensorStore(Warp &, const Op &, Mask);   // cp.async.bulk.tensor.Nd global<-shared: [a] map, vector 0, [b] src
void tensorReduce(Warp &, const Op &, Mask);  // cp.reduce.async.bulk.tensor: [a] map, vector 0, [b] src; form reduce
void tensorPrefetch(Warp &, const Op &, Mask);     // cp.async.bulk.prefetch.tensor: [a] map, vector 0
void prefetchMap(Warp &, const Op &, Mask);        // prefetch.tensormap: [a]
void bulkCommit(Warp &, const Op &, Mask);         // cp.async.bulk.commit_group
void bulkWait(Warp &, const Op &, Mask);           // cp.async.bulk.wait_group{.read} a (constant row); form read
void mbarrierInit(Warp &, const Op &, Mask);       // [a], b count
void mbarrierInvalidate(Warp &, const Op &, Mask); // [a]
void mbarrierArrive(Warp &, const Op &, Mask);     // d token (sink `_` is row 0), [a], b count if present; arrive_drop:
                                                   // form all; .expect_tx: form expectTx, b bytes; .noComplete
void mbarrierExpectTx(Warp &, const Op &, Mask);   // [a], b bytes
void mbarrierCompleteTx(Warp &, const Op &, Mask); // [a], b bytes
void mbarrierTestWait(Warp &, const Op &, Mask);   // d predicate, [a], b token or parity (form parity)
void mbarrierTryWait(Warp &, const Op &, Mask);    // the same; time hint c ignored
void mbarrierPendingCount(Warp &, const Op &, Mask); // d, a token
} // namespace async

/// Warp.cpp
namespace warp {
void shuffle(Warp &, const Op &, Mask);   // shfl: d, q predicate if present, a, b, c, e mask (constant all if absent)
void vote(Warp &, const Op &, Mask);      // vote.sync: d (b32 for ballot, else a predicate), a predicate, b mask
void match(Warp &, const Op &, Mask);     // match.sync: d, q predicate if present, a, b mask; types[0] b32 or b64
void reduce(Warp &, const Op &, Mask);    // redux.sync: d, a, b mask
void elect(Warp &, const Op &, Mask);     // elect.sync: d (sink possible), q predicate, a mask
void activeMask(Warp &, const Op &, Mask); // activemask: d
void synchronize(Warp &, const Op &, Mask); // bar.warp.sync: a mask
void special(Warp &, const Op &, Mask);   // mov d, special register: imm is a Special, types[0] the width
} // namespace warp

/// Warp.cpp
namespace control {
void branch(Warp &, const Op &, Mask);        // bra: imm target instruction
void branchIndexed(Warp &, const Op &, Mask); // brx.idx: a index, imm index of Module::branchTables
void call(Warp &, const Op &, Mask);          // call: imm index of Module::calls
void ret(Warp &, const Op &, Mask);
void exit(Warp &, const Op &, Mask);
void trap(Warp &, const Op &, Mask);
void nop(Warp &, const Op &, Mask); // brkpt pmevent and pure hints
} // namespace control

/// Grid.cpp
namespace grid {
void barrierSync(Warp &, const Op &, Mask);   // bar/barrier.sync: a id, b count if present
void barrierArrive(Warp &, const Op &, Mask); // bar/barrier.arrive: a id, b count
void barrierReduce(Warp &, const Op &, Mask); // bar/barrier.red: d, a id, b count if present, c predicate; form reduce
void clusterArrive(Warp &, const Op &, Mask); // barrier.cluster.arrive: form semantics
void clusterWait(Warp &, const Op &, Mask);   // barrier.cluster.wait
void setMaxRegisters(Warp &, const Op &, Mask); // setmaxnreg: a count (constant); form reduce Inc or Dec
void dependentsLaunch(Warp &, const Op &, Mask); // griddepcontrol.launch_dependents
void dependentsWait(Warp &, const Op &, Mask);   // griddepcontrol.wait
void sleep(Warp &, const Op &, Mask);            // nanosleep: a
} // namespace grid

/// Matrix.cpp, Wgmma.cpp
namespace matrix {
void multiply(Warp &, const Op &, Mask); // mma: vectors 0 d, 1 a, 2 b, 3 c; types d a b c; form shape
void load(Warp &, const Op &, Mask);     // ldmatrix: vector 0 destinations, [a]; form vector, trans
void store(Warp &, const Op &, Mask);    // stmatrix: [a], vector 0; form vector, trans
void move(Warp &, const Op &, Mask);     // movmatrix.trans: d, a
void wgmma(Warp &, const Op &, Mask);    // wgmma.mma_async: vector 0 d, vector 1 a if it is in registers, else a
                                         // descriptor; b descriptor; c scale-d predicate; imm bits: 1 negate a, 2 negate
                                         // b, 4 transpose a, 8 transpose b; types d a b; form n
void wgmmaFence(Warp &, const Op &, Mask);
void wgmmaCommit(Warp &, const Op &, Mask);
void wgmmaWait(Warp &, const Op &, Mask); // a constant row
} // namespace matrix

} // namespace attn::sim
