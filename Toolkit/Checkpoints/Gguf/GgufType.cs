namespace Toolkit.Checkpoints;

/// <summary>
/// How a GGUF file stores the numbers of a tensor; the values are the file's. F32, F16, BF16, F64 and I8 to I64 are plain numbers. Of the types of blocks
/// Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K can be read, Q8_0 and Q4_0 also written; files with the others can be opened and listed.
/// See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
/// </summary>
public enum GgufType
{
    /// <summary>float32.</summary>
    F32 = 0,

    /// <summary>float16.</summary>
    F16 = 1,

    /// <summary>Blocks of 32: a scale and 4-bit numbers from -8 to 7.</summary>
    Q4_0 = 2,

    /// <summary>Blocks of 32: a scale, a minimum and 4-bit numbers.</summary>
    Q4_1 = 3,

    /// <summary>Blocks of 32: a scale and 5-bit numbers from -16 to 15.</summary>
    Q5_0 = 6,

    /// <summary>Blocks of 32: a scale, a minimum and 5-bit numbers.</summary>
    Q5_1 = 7,

    /// <summary>Blocks of 32: a scale and 8-bit numbers.</summary>
    Q8_0 = 8,

    /// <summary>Blocks of 32 that llama.cpp quantizes activations to.</summary>
    Q8_1 = 9,

    /// <summary>Blocks of 256 of 2.6 bits a number.</summary>
    Q2_K = 10,

    /// <summary>Blocks of 256 of 3.4 bits a number.</summary>
    Q3_K = 11,

    /// <summary>Blocks of 256 in eight parts, each with a 6-bit scale and minimum, and 4-bit numbers.</summary>
    Q4_K = 12,

    /// <summary>Blocks of 256 in eight parts, each with a 6-bit scale and minimum, and 5-bit numbers.</summary>
    Q5_K = 13,

    /// <summary>Blocks of 256 in sixteen parts, each with an 8-bit scale, and 6-bit numbers.</summary>
    Q6_K = 14,

    /// <summary>Blocks of 256 that llama.cpp quantizes activations to.</summary>
    Q8_K = 15,

    /// <summary>Codebook, 2.1 bits a number.</summary>
    IQ2_XXS = 16,

    /// <summary>Codebook, 2.3 bits a number.</summary>
    IQ2_XS = 17,

    /// <summary>Codebook, 3.1 bits a number.</summary>
    IQ3_XXS = 18,

    /// <summary>Codebook, 1.6 bits a number.</summary>
    IQ1_S = 19,

    /// <summary>4-bit numbers of uneven steps.</summary>
    IQ4_NL = 20,

    /// <summary>Codebook, 3.4 bits a number.</summary>
    IQ3_S = 21,

    /// <summary>Codebook, 2.6 bits a number.</summary>
    IQ2_S = 22,

    /// <summary>4-bit numbers of uneven steps in blocks of 256.</summary>
    IQ4_XS = 23,

    /// <summary>int8.</summary>
    I8 = 24,

    /// <summary>int16.</summary>
    I16 = 25,

    /// <summary>int32.</summary>
    I32 = 26,

    /// <summary>int64.</summary>
    I64 = 27,

    /// <summary>float64.</summary>
    F64 = 28,

    /// <summary>Codebook, 1.8 bits a number.</summary>
    IQ1_M = 29,

    /// <summary>bfloat16.</summary>
    BF16 = 30,

    /// <summary>Ternary, 1.7 bits a number.</summary>
    TQ1_0 = 34,

    /// <summary>Ternary, 2.1 bits a number.</summary>
    TQ2_0 = 35,

    /// <summary>4-bit floating point with a common exponent for 32.</summary>
    MXFP4 = 39,

    /// <summary>4-bit floating point with a scale for 16.</summary>
    NVFP4 = 40,

    /// <summary>Signs in blocks of 128.</summary>
    Q1_0 = 41,

    /// <summary>2-bit numbers in blocks of 64.</summary>
    Q2_0 = 42,
}
