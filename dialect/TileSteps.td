// SPDX-License-Identifier: Apache-2.0
// The tile dialect's operations on kernels of several launches, one behind the other. Part of Tile.td.
#ifndef ATTN_DIALECT_TILE_STEPS
#define ATTN_DIALECT_TILE_STEPS

def Tile_BeginNextOp : Tile_Op<"begin_next", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "For all this program cares, programs of the next step may begin";
  let description = [{
    They do so once every program of this step has said it or has ended, and where there is room for them. Nothing that
    this step writes may be read by them before `tile.await_previous`.

    ```mlir
    func.func @first() {
      tile.begin_next
      return
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_AwaitPreviousOp : Tile_Op<"await_previous", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Wait until the step before has ended and what it wrote can be read";
  let description = [{
    Every thread of every program of a step that begins early does this once. The step before has done the same, if it
    began early itself, so all steps before have ended.

    ```mlir
    func.func @second() {
      tile.await_previous
      return
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

#endif
