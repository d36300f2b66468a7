package io.firn.backend.cpu;

/**
 * One loop of a pass with its operands' slots and coefficients' places.
 *
 * @param loop         for vectors with a channel in every lane
 * @param edge         the same for those with fewer, whose operands are copied to strips
 * @param pivot        stores nothing and adds up r only: gives the pivot of the first pixels; null but for moments
 * @param edgePivot    both
 * @param slots        slot of each operand ({@link Loop}'s numbering), -1 where there is none
 * @param coefficients places of m₀ m₁ m₂ s n₀ n₁ v k₁ k₂ k₃, pivot and mask among the coefficient vectors
 * @param reduction    index of the reduction that takes the sums, or -1
 */
record Step(Loop loop, Loop edge, Loop pivot, Loop edgePivot, int[] slots, int[] coefficients, int reduction) {
    static final int M = 0;
    static final int S = 3;
    static final int N = 4;
    static final int V = 6;
    static final int K1 = 7;
    static final int K2 = 8;
    static final int K3 = 9;
    static final int PIVOT = 10;
    static final int MASK = 11;
    static final int COEFFICIENTS = 12;
}
