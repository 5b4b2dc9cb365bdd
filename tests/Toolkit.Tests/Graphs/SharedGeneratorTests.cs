namespace Toolkit.Tests.Graphs;

/// <summary>Tests that draw from libtorch's own generator and look at what it draws next: nothing else may run beside them.</summary>
[CollectionDefinition(nameof(SharedGeneratorTests), DisableParallelization = true)]
public sealed class SharedGeneratorTests
{
}
