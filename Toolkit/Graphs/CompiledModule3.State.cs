using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Parameters, buffers, modes and devices are those of the module, under the same names: optimizers and checkpoints see no difference.</content>
public sealed partial class CompiledModule<T1, T2, T3, TResult>
{
    // What TorchSharp frees with a module is what the module names: the parameters stay their owner's.
    private bool _isDisposed;

    /// <inheritdoc/>
    public override bool training => Module.training;

    /// <inheritdoc/>
    public override void train(bool on = true) => Module.train(on);

    /// <inheritdoc/>
    public override void eval() => Module.eval();

    /// <inheritdoc/>
    public override void zero_grad(bool set_to_none = true) => Module.zero_grad(set_to_none);

    /// <inheritdoc/>
    public override nn.Module apply(Action<nn.Module> fn)
    {
        Module.apply(fn);
        return this;
    }

    /// <inheritdoc/>
    public override IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true) => _isDisposed ? [] : Module.named_parameters(recurse);

    /// <inheritdoc/>
    public override IEnumerable<Parameter> parameters(bool recurse = true) => _isDisposed ? [] : Module.parameters(recurse);

    /// <inheritdoc/>
    public override IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true, bool include_nonpersistent = true) => _isDisposed ? [] : Module.named_buffers(recurse, include_nonpersistent);

    /// <inheritdoc/>
    public override IEnumerable<Tensor> buffers(bool recurse = true, bool include_nonpersistent = true) => _isDisposed ? [] : Module.buffers(recurse, include_nonpersistent);

    /// <inheritdoc/>
    public override IEnumerable<(string name, nn.Module module)> named_children() => _isDisposed ? [] : Module.named_children();

    /// <inheritdoc/>
    public override IEnumerable<nn.Module> children() => _isDisposed ? [] : Module.children();

    /// <inheritdoc/>
    public override IEnumerable<(string name, nn.Module module)> named_modules() => _isDisposed ? [] : Module.named_modules();

    /// <inheritdoc/>
    public override IEnumerable<nn.Module> modules() => _isDisposed ? [] : Module.modules();

    /// <inheritdoc/>
    public override Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null) => Module.state_dict(destination, prefix);

    /// <inheritdoc/>
    public override (IList<string> missing_keys, IList<string> unexpected_keyes) load_state_dict(Dictionary<string, Tensor> source, bool strict = true, IList<string>? skip = null) =>
        Module.load_state_dict(source, strict, skip);

    /// <inheritdoc/>
    public override Parameter? get_parameter(string target) => Module.get_parameter(target);

    /// <inheritdoc/>
    public override Tensor? get_buffer(string target) => Module.get_buffer(target);

    /// <inheritdoc/>
    public override bool has_parameter(string target) => Module.has_parameter(target);

    /// <inheritdoc/>
    public override bool has_buffer(string target) => Module.has_buffer(target);

    /// <inheritdoc/>
    public override string GetName() => Module.GetName();

    /// <inheritdoc/>
    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        Module.to(device, dtype, non_blocking);
        return this;
    }

    /// <inheritdoc/>
    protected override nn.Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking)
    {
        Module.to(deviceType, deviceIndex, non_blocking);
        return this;
    }

    /// <inheritdoc/>
    protected override nn.Module _to(ScalarType dtype, bool non_blocking)
    {
        Module.to(dtype, non_blocking);
        return this;
    }
}
