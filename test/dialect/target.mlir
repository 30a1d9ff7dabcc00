// SPDX-License-Identifier: Apache-2.0
// The target is an attribute of the module: a test can change one number of a chip, or invent a whole one.
// RUN: split-file %s %t
// RUN: attn-opt --choose-schedule %t/sm_80.mlir | FileCheck %s --check-prefix=SM80
// RUN: attn-opt --choose-schedule %t/less.mlir | FileCheck %s --check-prefix=LESS
// RUN: attn-opt --choose-schedule %t/invented.mlir | FileCheck %s --check-prefix=INVENTED
// RUN: attn-opt --choose-schedule --verify-diagnostics --split-input-file %t/errors.mlir

// A100: 48 KB of tiles for each of two programs on 164 KB.
// SM80: attn.target = {chip = "sm_80"}
// SM80: schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4>

// With less shared memory the tuned tiles no longer let two programs share a multiprocessor.
// LESS: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 8>

// 64 rows of Q and 16 of K and of V, 256 bytes each, are 24576 bytes: exactly what a program gets here.
// INVENTED: schedule<prefill, block_q = 64, block_kv = 16, num_stages = 1, num_warps = 4>

//--- sm_80.mlir
!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
  attn.kernel @f(%q: !x, %k: !x, %v: !x) -> (o: !x) {
    %s = attn.scores %q, %k : !x, !x
    %p = attn.softmax %s
    %o = attn.output %p, %v : !x -> !x
    attn.return %o : !x
  }
}

//--- less.mlir
!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80", shared_per_sm = 90112}} {
  attn.kernel @f(%q: !x, %k: !x, %v: !x) -> (o: !x) {
    %s = attn.scores %q, %k : !x, !x
    %p = attn.softmax %s
    %o = attn.output %p, %v : !x -> !x
    attn.return %o : !x
  }
}

//--- invented.mlir
!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {
    chip = "sm_1", matrix = "mma_sync", ptx_version = 71, compute_capability = 80, shared_per_program = 24576,
    shared_per_sm = 25600, registers_per_sm = 65536, registers_per_thread = 255, sms = 1, l2_bytes = 1048576, hbm_bytes_per_s = 1000000000,
    matrix_flops_per_s = 1000000000000, fp32_per_clock = 64, exp2_per_clock = 16, clock_hz = 1000000000}} {
  attn.kernel @f(%q: !x, %k: !x, %v: !x) -> (o: !x) {
    %s = attn.scores %q, %k : !x, !x
    %p = attn.softmax %s
    %o = attn.output %p, %v : !x -> !x
    attn.return %o : !x
  }
}

//--- errors.mlir
// expected-error @below {{expects attn.target, a dictionary that describes the hardware}}
module {
}

// -----
// expected-error @below {{expects in attn.target a chip, the name that PTX knows the hardware by}}
module attributes {attn.target = {sms = 4}} {
}

// -----
// expected-error @below {{expects in attn.target 'sms' to be a positive i64, got 0}}
// expected-error @below {{expects in attn.target 'clock_hz' to be a positive i64, got 1 : i32}}
// expected-error @below {{expects in attn.target 'matrix' to be "mma_sync" or "wgmma", got "tcgen05"}}
// expected-error @below {{expects in attn.target no entry 'multiprocessors'}}
module attributes {attn.target = {chip = "sm_80", matrix = "tcgen05", sms = 0, clock_hz = 1 : i32,
                                  multiprocessors = 4}} {
}

// -----
// expected-error @below {{expects in attn.target 'matrix' to be "mma_sync" or "wgmma", got nothing}}
// expected-error @below {{expects in attn.target 'ptx_version' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'compute_capability' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'shared_per_program' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'shared_per_sm' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'registers_per_sm' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'registers_per_thread' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'l2_bytes' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'hbm_bytes_per_s' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'matrix_flops_per_s' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'fp32_per_clock' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'exp2_per_clock' to be a positive i64, got nothing}}
// expected-error @below {{expects in attn.target 'clock_hz' to be a positive i64, got nothing}}
module attributes {attn.target = {chip = "sm_1", sms = 1}} {
}
