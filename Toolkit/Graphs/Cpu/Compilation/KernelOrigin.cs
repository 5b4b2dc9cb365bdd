namespace Toolkit.Graphs.Cpu;

/// <summary>Where the machine code of kernels came from.</summary>
public enum KernelOrigin
{
    /// <summary>Compiled now.</summary>
    Compiler,

    /// <summary>Compiled by an earlier process.</summary>
    Disk,

    /// <summary>In use in this process already.</summary>
    Memory,
}
