// What check-rings finds: numbers that do not count up, and roles that wait for each other.
// RUN: attn-opt %s --check-rings -split-input-file -verify-diagnostics

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>

// Both roles as they should be: three fills of two stages.
func.func @fine(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    scf.for %t = %c0 to %c3 step %c1 {
      tile.fill %ring[%t] from %keys[%t] : !ring, !view
    }
  } compute warps = 8 registers = 240 {
    scf.for %t = %c0 to %c3 step %c1 {
      %k = tile.await %ring[%t] : !ring -> !tile_
      tile.release %ring[%t] : !ring
    }
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @not_released(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    scf.for %t = %c0 to %c3 step %c1 {
      tile.fill %ring[%t] from %keys[%t] : !ring, !view
    }
  } compute warps = 8 registers = 240 {
    scf.for %t = %c0 to %c3 step %c1 {
      // expected-error @below {{'tile.await' op waits for fill 2, which never begins}}
      %k = tile.await %ring[%t] : !ring -> !tile_
    }
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
func.func @not_awaited(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    scf.for %t = %c0 to %c3 step %c1 {
      // expected-error @below {{'tile.fill' op waits for its stage, which is never released, with fill 2}}
      tile.fill %ring[%t] from %keys[%t] : !ring, !view
    }
  } compute warps = 8 registers = 240 {
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @left(%keys: !view) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{expects every fill of a ring to be awaited and released, got 1 fills and 0 releases}}
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    tile.fill %ring[%c0] from %keys[%c0] : !ring, !view
  } compute warps = 8 registers = 240 {
    %k = tile.await %ring[%c0] : !ring -> !tile_
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @counts(%keys: !view) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    // expected-error @below {{'tile.fill' op expects fill number 0, got 1}}
    tile.fill %ring[%c1] from %keys[%c0] : !ring, !view
  } compute warps = 8 registers = 240 {
  }
  return
}

// -----

!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
func.func @release_first(%keys: !view) {
  %c0 = arith.constant 0 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    tile.fill %ring[%c0] from %keys[%c0] : !ring, !view
  } compute warps = 8 registers = 240 {
    // expected-error @below {{'tile.release' op releases fill 0, which was not awaited}}
    tile.release %ring[%c0] : !ring
  }
  return
}

// -----

// Numbers that begin anew with each item, of which a program has up to four.
!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @anew(%keys: !view, %items: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    %number, %count = tile.worker %items
    %end = scf.for %w = %number to %items step %count iter_args(%n = %c0) -> (index) {
      tile.fill %ring[%n] from %keys[%w] : !ring, !view
      %n_1 = arith.addi %n, %c1 : index
      tile.fill %ring[%n_1] from %keys[%w] : !ring, !view
      %n_2 = arith.addi %n, %c2 : index
      scf.yield %n_2 : index
    }
  } compute warps = 8 registers = 240 {
    %number, %count = tile.worker %items
    scf.for %w = %number to %items step %count {
      // expected-error @below {{'tile.await' op expects await number 2, got 0}}
      %a = tile.await %ring[%c0] : !ring -> !tile_
      tile.release %ring[%c0] : !ring
      %b = tile.await %ring[%c1] : !ring -> !tile_
      tile.release %ring[%c1] : !ring
    }
  }
  return
}

// -----

// The same, carried: nothing to find.
!view = !tile.view<64 x f16>
!ring = !tile.ring<2 x tensor<32x64xf16>>
!tile_ = tensor<32x64xf16>
func.func @goes_on(%keys: !view, %items: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %ring = tile.ring : !ring
  tile.roles load warps = 4 registers = 24 {
    %number, %count = tile.worker %items
    %end = scf.for %w = %number to %items step %count iter_args(%n = %c0) -> (index) {
      tile.fill %ring[%n] from %keys[%w] : !ring, !view
      %n_1 = arith.addi %n, %c1 : index
      scf.yield %n_1 : index
    }
  } compute warps = 8 registers = 240 {
    %number, %count = tile.worker %items
    %end = scf.for %w = %number to %items step %count iter_args(%n = %c0) -> (index) {
      %even = arith.cmpi eq, %w, %c0 : index
      %a = tile.await %ring[%n] : !ring -> !tile_
      tile.release %ring[%n] : !ring
      %n_1 = scf.if %even -> (index) {
        %one = arith.addi %n, %c1 : index
        scf.yield %one : index
      } else {
        %other = arith.addi %n, %c1 : index
        scf.yield %other : index
      }
      scf.yield %n_1 : index
    }
  }
  return
}
