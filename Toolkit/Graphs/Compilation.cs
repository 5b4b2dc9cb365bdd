using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Compiles modules.</summary>
public static class Compilation
{
    /// <summary>A module that runs as graphs of its operations. The module need not know of it; graphs are captured at the first calls, which are real ones.</summary>
    /// <param name="module">The module.</param>
    /// <param name="options">How it is compiled.</param>
    /// <returns>A module that is called like the given one. It holds graphs and kernels, not the module: disposing of it leaves the module as it is.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A dynamic dimension is of an argument that <c>forward</c> does not have.</exception>
    public static CompiledModule<T, TResult> Compile<T, TResult>(this nn.Module<T, TResult> module, CompileOptions? options = null) => new(Given(module), options ?? new());

    /// <inheritdoc cref="Compile{T, TResult}(nn.Module{T, TResult}, CompileOptions)"/>
    /// <param name="module">The module.</param>
    /// <param name="example">An input to capture the first graph with: the module is called with it once, with all that the call does (and again where that call filled tables, which changes how later calls run).</param>
    /// <param name="options">How it is compiled.</param>
    /// <exception cref="ArgumentNullException">There is no module, or no example (a module is compiled without one, too).</exception>
    /// <exception cref="GraphBreakException">The call cannot be captured whole, and <see cref="CompileOptions.FullGraph"/> asks for that.</exception>
    public static CompiledModule<T, TResult> Compile<T, TResult>(this nn.Module<T, TResult> module, T example, CompileOptions? options = null)
    {
        Given(module);
        ArgumentNullException.ThrowIfNull(example);
        var compiled = module.Compile(options);
        using var scope = NewDisposeScope();
        compiled.forward(example);
        compiled.Prepare(example);
        return compiled;
    }

    /// <inheritdoc cref="Compile{T, TResult}(nn.Module{T, TResult}, CompileOptions)"/>
    public static CompiledModule<T1, T2, TResult> Compile<T1, T2, TResult>(this nn.Module<T1, T2, TResult> module, CompileOptions? options = null) => new(Given(module), options ?? new());

    /// <inheritdoc cref="Compile{T, TResult}(nn.Module{T, TResult}, T, CompileOptions)"/>
    /// <param name="module">The module.</param>
    /// <param name="example1">The first input to capture the first graph with: the module is called with the inputs once, with all that the call does.</param>
    /// <param name="example2">The second.</param>
    /// <param name="options">How it is compiled.</param>
    public static CompiledModule<T1, T2, TResult> Compile<T1, T2, TResult>(this nn.Module<T1, T2, TResult> module, T1 example1, T2 example2, CompileOptions? options = null)
    {
        var compiled = module.Compile(options);
        using var scope = NewDisposeScope();
        compiled.forward(example1, example2);
        compiled.Prepare(example1, example2);
        return compiled;
    }

    /// <inheritdoc cref="Compile{T, TResult}(nn.Module{T, TResult}, CompileOptions)"/>
    public static CompiledModule<T1, T2, T3, TResult> Compile<T1, T2, T3, TResult>(this nn.Module<T1, T2, T3, TResult> module, CompileOptions? options = null) =>
        new(Given(module), options ?? new());

    /// <inheritdoc cref="Compile{T1, T2, TResult}(nn.Module{T1, T2, TResult}, T1, T2, CompileOptions)"/>
    /// <param name="module">The module.</param>
    /// <param name="example1">The first input to capture the first graph with: the module is called with the inputs once, with all that the call does.</param>
    /// <param name="example2">The second.</param>
    /// <param name="example3">The third.</param>
    /// <param name="options">How it is compiled.</param>
    public static CompiledModule<T1, T2, T3, TResult> Compile<T1, T2, T3, TResult>(
        this nn.Module<T1, T2, T3, TResult> module, T1 example1, T2 example2, T3 example3, CompileOptions? options = null)
    {
        var compiled = module.Compile(options);
        using var scope = NewDisposeScope();
        compiled.forward(example1, example2, example3);
        compiled.Prepare(example1, example2, example3);
        return compiled;
    }

    /// <summary>Compiles a model's decode step: see <see cref="CompiledDecoder"/>.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="options">How it is compiled.</param>
    public static CompiledDecoder CompileDecoding(this Models.CausalModel model, CompileOptions? options = null) => new(Given(model), options);

    private static T Given<T>(T module)
        where T : nn.Module
    {
        ArgumentNullException.ThrowIfNull(module);
        return module;
    }
}
