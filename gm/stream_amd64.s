//go:build !purego

#include "textflag.h"

// The key stream of SM4 (GB/T 32907-2016) in counter mode, 64 blocks at a time with
// AVX-512 and GFNI: four times sixteen, for one set of sixteen waits for itself.
//
// Z0 to Z15 are the four words of the four sets. Z16 to Z18 are for the round.

// Each word's bytes turned around.
DATA turned<>+0(SB)/8, $0x0405060700010203
DATA turned<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL turned<>(SB), RODATA|NOPTR, $16

// Which block of sixteen each place of a register holds, so that they come out in
// order.
DATA places<>+0(SB)/8, $0x0000000400000000
DATA places<>+8(SB)/8, $0x0000000c00000008
DATA places<>+16(SB)/8, $0x0000000500000001
DATA places<>+24(SB)/8, $0x0000000d00000009
DATA places<>+32(SB)/8, $0x0000000600000002
DATA places<>+40(SB)/8, $0x0000000e0000000a
DATA places<>+48(SB)/8, $0x0000000700000003
DATA places<>+56(SB)/8, $0x0000000f0000000b
GLOBL places<>(SB), RODATA|NOPTR, $64

DATA sixteen<>+0(SB)/4, $16
GLOBL sixteen<>(SB), RODATA|NOPTR, $4

// STEP is a round of one set: a becomes a ^ L(S(b ^ c ^ d ^ key)).
#define STEP(key, a, b, c, d) \
	VPXORD.BCST key(R8), b, Z16; \
	VPTERNLOGD $0x96, c, d, Z16; \
	VGF2P8AFFINEQB $0x69, Z30, Z16, Z16; \
	VGF2P8AFFINEINVQB $0xd3, Z29, Z16, Z16; \
	VPROLD $2, Z16, Z17; \
	VPROLD $10, Z16, Z18; \
	VPTERNLOGD $0x96, Z17, Z18, a; \
	VPROLD $18, Z16, Z17; \
	VPROLD $24, Z16, Z18; \
	VPTERNLOGD $0x96, Z17, Z18, a; \
	VPXORD Z16, a, a

// ROUND is a round of the four sets.
#define ROUND(key, a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3) \
	STEP(key, a0, b0, c0, d0); \
	STEP(key, a1, b1, c1, d1); \
	STEP(key, a2, b2, c2, d2); \
	STEP(key, a3, b3, c3, d3)

// OUT turns the words of a set into sixteen blocks and puts them over the text.
#define OUT(at, x0, x1, x2, x3) \
	VPUNPCKLDQ x2, x3, Z16; \
	VPUNPCKHDQ x2, x3, x3; \
	VPUNPCKLDQ x0, x1, Z17; \
	VPUNPCKHDQ x0, x1, x1; \
	VPUNPCKLQDQ Z17, Z16, x0; \
	VPUNPCKHQDQ Z17, Z16, Z16; \
	VPUNPCKLQDQ x1, x3, x2; \
	VPUNPCKHQDQ x1, x3, x3; \
	VPSHUFB Z31, x0, x0; \
	VPSHUFB Z31, Z16, Z16; \
	VPSHUFB Z31, x2, x2; \
	VPSHUFB Z31, x3, x3; \
	VPXORD (at)(SI), x0, x0; \
	VPXORD (at+64)(SI), Z16, Z16; \
	VPXORD (at+128)(SI), x2, x2; \
	VPXORD (at+192)(SI), x3, x3; \
	VMOVDQU32 x0, (at)(DI); \
	VMOVDQU32 Z16, (at+64)(DI); \
	VMOVDQU32 x2, (at+128)(DI); \
	VMOVDQU32 x3, (at+192)(DI)

// func sm4Stream(key *[32]uint32, box *[2]uint64, counter *[4]uint32, dst, src *byte, n int)
TEXT ·sm4Stream(SB), NOSPLIT, $0-48
	MOVQ key+0(FP), AX
	MOVQ box+8(FP), DX
	MOVQ counter+16(FP), BX
	MOVQ dst+24(FP), DI
	MOVQ src+32(FP), SI
	MOVQ n+40(FP), CX
	VBROADCASTI32X4 turned<>(SB), Z31
	VPBROADCASTQ (DX), Z30
	VPBROADCASTQ 8(DX), Z29
	VPBROADCASTD sixteen<>(SB), Z27
	VPBROADCASTD 12(BX), Z28
	VPADDD places<>(SB), Z28, Z28
	VPBROADCASTD (BX), Z24
	VPBROADCASTD 4(BX), Z25
	VPBROADCASTD 8(BX), Z26

blocks:
	VMOVDQA32 Z24, Z0
	VMOVDQA32 Z25, Z1
	VMOVDQA32 Z26, Z2
	VMOVDQA32 Z28, Z3
	VMOVDQA32 Z24, Z4
	VMOVDQA32 Z25, Z5
	VMOVDQA32 Z26, Z6
	VPADDD Z27, Z3, Z7
	VMOVDQA32 Z24, Z8
	VMOVDQA32 Z25, Z9
	VMOVDQA32 Z26, Z10
	VPADDD Z27, Z7, Z11
	VMOVDQA32 Z24, Z12
	VMOVDQA32 Z25, Z13
	VMOVDQA32 Z26, Z14
	VPADDD Z27, Z11, Z15
	VPADDD Z27, Z15, Z28
	MOVQ AX, R8
	MOVQ $8, R9

rounds:
	ROUND(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	ROUND(4, Z1, Z2, Z3, Z0, Z5, Z6, Z7, Z4, Z9, Z10, Z11, Z8, Z13, Z14, Z15, Z12)
	ROUND(8, Z2, Z3, Z0, Z1, Z6, Z7, Z4, Z5, Z10, Z11, Z8, Z9, Z14, Z15, Z12, Z13)
	ROUND(12, Z3, Z0, Z1, Z2, Z7, Z4, Z5, Z6, Z11, Z8, Z9, Z10, Z15, Z12, Z13, Z14)
	ADDQ $16, R8
	DECQ R9
	JNZ rounds

	OUT(0, Z0, Z1, Z2, Z3)
	OUT(256, Z4, Z5, Z6, Z7)
	OUT(512, Z8, Z9, Z10, Z11)
	OUT(768, Z12, Z13, Z14, Z15)
	ADDQ $1024, SI
	ADDQ $1024, DI
	DECQ CX
	JNZ blocks
	VZEROUPPER
	RET
