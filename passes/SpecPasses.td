// SPDX-License-Identifier: Apache-2.0
// The passes on what a user writes: the first ones, up to the wrapper and the schedule's text in it.
#ifndef ATTN_SPEC_PASSES
#define ATTN_SPEC_PASSES

include "mlir/Pass/PassBase.td"

def LinkLibrary : Pass<"link-library", "::mlir::ModuleOp"> {
  let summary = "Bring the functions that a module names and does not hold from the library";
  let description = [{
    `by @f` and `func.func private @f(...)` mean the function of that name in the file, else the one in
    `templates/variants/`. The library's functions may declare others, which are brought as well. What is added is
    private. A name that neither the file nor the library has is an error, with the nearest name beside it. The module
    is verified afterwards: signatures and bodies of library functions keep the same rules as the user's own.

    Before:
    ```
      %m = attn.mask %s by @causal
    ```
    After:
    ```
      %m = attn.mask %s by @causal
      ...
    func.func private @causal(%b: index, %h: index, %q: index, %kv: index) -> i1 {
      %visible = arith.cmpi sle, %kv, %q : index
      return %visible : i1
    }
    ```
  }];
  let dependentDialects = ["::attn::AttnDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def ChooseSchedule : Pass<"choose-schedule", "::mlir::ModuleOp"> {
  let summary = "Complete the schedule of each kernel for the target";
  let description = [{
    Reads `attn.target` of the module and, per kernel, head dimensions and which functions it has. What `schedule<...>`
    says stands; the rest is a row of the tuned table that agrees with it, or else the cheapest candidate of the cost
    model: tiles that fit shared memory and registers, ranked by matrix time, softmax time, bytes moved, and by how
    many programs share a multiprocessor and so hide each other's waiting. A static length of queries or keys counts.
    Nothing is spilled, unless the numbers that the kernel gives leave no other choice.

    Where key heads have several query heads, `packed` says whether those of a group share a tile's rows. They do where
    the number of query tokens is static and a score then costs less than 0.9 times as much: few tokens leave most of a
    tile empty. Warpgroups load boxes of whole tokens, so a group that does not divide block_q goes by warps that copy
    row by row and multiply by themselves; that they are slower is part of the cost.

    Without a name in `schedule<...>`, `decode` is chosen where at most 64 query rows are known to meet the keys of a head.
    Then keys stream past few rows, programs share them, and `attn.share = [least, granule]` says of which sizes shares are:
    max(least, ceil(length / num_splits)) keys, rounded up to the granule, whatever else is in the batch. Where keys are
    walked twice, because weights must be known before a function changes them, sequences are not split.

    `stream_k` is chosen only by name. It has the tiles of `decode`, and `attn.stream = [programs, granule]`: how many
    programs share the tiles of `granule` keys of all sequences, two for each multiprocessor of the target, or one where
    no more fit. Where a sequence is cut then depends on all others in the batch.

    Refuses, with all faults of all kernels at once: operations that have no lowering yet, head dimensions and element
    types that the matrix instructions do not serve, schedules that do not exist or that nothing can run.

    Before, with `attn.target` naming sm_80 and a head_dim of 128:
    ```
    attn.kernel @prefill(%q: !q, %k: !kv, %v: !kv) -> (o: !q) { ... }
    attn.kernel @wide(%q: !q, %k: !kv, %v: !kv) -> (o: !q) schedule<block_kv = 64> { ... }
    ```
    After:
    ```
    attn.kernel @prefill(%q: !q, %k: !kv, %v: !kv) -> (o: !q)
        schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4> { ... }
    attn.kernel @wide(%q: !q, %k: !kv, %v: !kv) -> (o: !q)
        schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 8> { ... }
    ```
  }];
}

def AddFallback : Pass<"add-fallback", "::mlir::ModuleOp"> {
  let summary = "A second kernel for tensors that the fast copies cannot take";
  let description = [{
    Copies of 16 bytes need bases and strides that are multiples of 16 bytes, and only a launch knows them. Each kernel
    gets a twin, marked `attn.unaligned`, that copies element by element; the kernel file names both and what the first
    requires. The twin has the smallest tiles, because it is there to be right and its code should cost little.

    Before: `attn.kernel @prefill(...) schedule<prefill, block_q = 128, block_kv = 64, ...>`

    After: the same, and `attn.kernel @prefill_unaligned(...) schedule<prefill, block_q = 64, block_kv = 16, ...>
    attributes {attn.unaligned = "prefill"}`
  }];
}

def ConvertAttnToTile : Pass<"convert-attn-to-tile", "::mlir::ModuleOp"> {
  let summary = "Instantiate the schedule for a kernel and write the wrapper around it";
  let description = [{
    Reads the schedule's text, replaces its first paragraph by the types of this kernel, and links four names: `@score`
    is the composition of the kernel's score changes and `@reweigh` that of its changes of weights (gone when there are
    none), `@visible` becomes the list of its masks, `@finish` the ending with or without a sink. Their parameters are
    appended where they are used. The wrapper says which rows and keys a program owns and makes the views; only here do
    grouped heads, lengths and alignment appear. A result that is not asked for is bound to an absent view. Sequences in
    several places become a `tile.concat`; a sequence shared by several is a view of another batch than the program's.

    A packed batch of queries has a program for each `block_q` rows of all of them, and one more for each sequence: so
    many that every sequence can begin a block of its own, whatever the lengths, which only the device knows. Each
    program finds its sequence by bisection (`tile.locate`), some ten loads one after another for a batch of a thousand.
    Programs without rows, at most one a sequence, walk no keys.

    Where programs share the keys of a sequence, each leaves (acc, m, l) of its share in the workspace, and a second
    function, marked `attn.step = 1`, merges them: the instance of another text, `merge.mlir`. Keys that lie in several
    places are one range for this, in which each place begins a tile of its own. The grid and the workspace have as many
    shares as the sizes of tensors and tables allow a sequence, or `num_splits` of them where these set no bound, as runs
    of pages do not: a share is never less than a `num_splits`th. What they leave lies as the queries do, for a packed
    batch by token. A program whose share is behind the last key leaves at once (`tile.leave`), and writes nothing: the
    merge knows from the length how many shares there are.

    Each program has one share and ends; it is not handed several, one after the other. With one share a program, the
    hardware starts the next program where one ends, and a multiprocessor has several whose loads overlap; a loop over
    shares would have to let its last loads land before it could fill the rings again, and would fix beforehand which
    shares go together although their lengths are only known on the device.

    A change of weights that is no factor needs them as softmax gives them. Then there are two functions: an instance of
    `statistics.mlir` leaves the largest score of each row and its weight in the workspace, with the sink counted and lse
    written, and one of `weighted.mlir` walks the keys again, changes what is then known, and multiplies.

    `schedule<stream_k>` (LeanAttention) puts the tiles of all keys in one line: sequence by sequence, head by head, block
    of rows by block of rows. Of N tiles G = min(programs, ceil(N / 2)) programs take ceil(N / G) each, or one less,
    wherever an item ends: they end together, however many heads there are and however lengths differ. Lengths are on the
    device, so each program counts tiles itself, one load a sequence, and looks for the sequence that its share begins
    in; it does not count where shapes say all. In a loop over segments it finishes what it has of one item and goes on
    with the next. Every segment ends with its loads landed and its products done, so rings are filled anew for the next:
    one bubble a segment, of which a program has few where shares are long.

    A segment leaves its (acc, m, l) in slot number program + item of the workspace, which no other has, and
    the merge of an item asks for those of all programs whose shares have some of its tiles, in ascending order. The
    same launch gives the same bits in every run, but those of a sequence depend on the rest of the batch. The merge is
    a second step here as well, and not the work of the program that has the first tile of an item, as in the paper: that
    one waits for programs with larger numbers, so all of them must have a place at once, and the flags that
    it waits for must be set back for each launch. All targets take warps and their products for this schedule, none
    takes roles.

    With `schedule<stream_k>`, before `tile.pipeline-loads`:
    ```
    %program = tile.program %programs
    ... %tiles: of all sequences; [%from, %to): the share
    tile.leave if %none
    scf.while (%place = %from, %batch = %zero, ...) { ... %place < %to } do {
      ... the sequence, the head, the block of rows, and tiles %first to %end of the item
      %q = tile.load %query[%row]
      %acc, %m, %l = tile.walk %col in %keys[%first_key to %end_key] step 64 ...
      ... tile.store to slot %program + %item
      scf.yield %next_place, ...
    }
    ```

    Weights are summed (`attn.sums`) by a walk of its own once the statistics are known, an instance of `sums.mlir`. What
    its function leaves out is hidden as by one more mask, so that tiles without anything that counts are not visited;
    where nobody else asks for statistics and whole rows are left out, those have none either. Programs add to cells of 64
    bits in the workspace, in units of 2^-36: integers have one sum in whatever order programs come. One function makes
    the cells 0 before, and one writes what they hold behind. Sequences are not split in these walks, and heads of a group
    not packed. All of them come before the function of the output, which may lie over the queries.

    An `attn.merge` is an instance of that text as well. Its parts are (output, lse, 1); where lse is minus infinity, what
    the output holds is not looked at. An `attn.append` is a function of its own, an instance of `append.mlir`, in front of
    the attention or behind it as the kernel says; so is an `attn.select`, of `select.mlir`, with a program for each row of
    sums. The functions of a launch are numbered by `attn.step`, and the first names the kernel by `attn.kernel` if its own
    name is another.

    A static positive scale is folded into the factor that turns scores into exponents of two, when no function sees
    the scores; otherwise, and for a scale that is an argument, it is a factor of its own, because for a scale of zero
    or below the maximum of scores is not the maximum of scaled scores.

    Before:
    ```
    attn.kernel @prefill(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
      %s = attn.scores %q, %k : !q, !kv
      %m = attn.mask %s by @causal
      %p = attn.softmax %m
      %o = attn.output %p, %v : !kv -> !q
      attn.return %o : !q
    }
    ```
    After:
    ```
    func.func @prefill(%q: memref<...>, %k: memref<...>, %v: memref<...>, %o: memref<...>) {
      %block, %head, %batch = tile.program %blocks, %heads, %batches
      ...
      %keys = tile.view %k[%batch, %kv_head] length %n : ...
      %acc, %m, %l = tile.walk %col in %keys[%zero to %n] step 64 ... {
        ...
        %s = tile.mask %raw by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : ...
    ```
  }];
}

#endif
