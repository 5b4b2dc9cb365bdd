namespace Toolkit.Graphs.Cpu;

internal sealed partial class Planner
{
    private void LowerFused(Node node)
    {
        var body = node.Body!;
        var inputs = body.Inputs.Zip(node.Inputs).ToDictionary(pair => (Value)pair.First, pair => _layouts[pair.Second], (IEqualityComparer<Value>)ReferenceEqualityComparer.Instance);
        var outputs = node.Outputs.Select(Target).ToArray();
        if (body.Nodes.FirstOrDefault(member => MatrixProduct.Find(member) is not null) is { } product)
        {
            LowerProduct(node, MatrixProduct.Find(product)!, inputs, outputs);
            return;
        }

        var domain = body.Nodes.Select(Lowerings.Domain).OrderByDescending(own => own.Reduced is not null).ThenByDescending(own => own.Shape.Count).First();
        var loop = LoopBuilder.Build(body, domain, value => inputs[value], outputs, isSizeless: _isSizeless);
        Add(LoopEmitter.Emit(loop, _width, _isSizeless), body.Nodes, [.. outputs.Select(output => output.Buffer)]);
    }

    /// <summary>A matrix product of few rows, with what follows it.</summary>
    private void LowerProduct(Node node, MatrixProduct product, Dictionary<Value, Layout> inputs, Layout[] outputs)
    {
        var domain = new LoopDomain(LoopDomain.Canonical(product.Node.Output.Type.Shape), null);
        var weight = inputs[product.Weight];
        weight = product.IsTransposed ? weight : weight.Transpose(0, 1); // (N, K)
        var rows = Shape.Create([product.Rows, product.Depth]);
        var x = inputs[product.X].Reshape(rows);
        if (x is null || x.Strides[1] != 1)
        {
            x = Contiguous(inputs[product.X], node).Reshape(rows)!;
        }

        if (product.Columns > 1 && WeightForm.Of(weight.DType) is { } form)
        {
            var isByRows = weight.Strides[1] == 1 || product.Depth == 1;
            var loop = LoopBuilder.Build(node.Body!, LoopDomain.RowsOf(domain.Shape), value => inputs[value], outputs, isSizeless: _isSizeless);
            if (loop.IsVector && loop.Extents.Length == loop.Rows + 1 && (isByRows || weight.Strides[0] == 1))
            {
                Add(isByRows ? MatrixVectorEmitter.Emit(product, x, weight, form, loop, _width) : VectorMatrixEmitter.Emit(product, x, weight, loop, _width),
                    node.Body!.Nodes, [.. outputs.Select(output => output.Buffer)]);
                return;
            }
        }

        var bare = Temporary(new(product.X.Type.DType, Shape.Create([product.Rows, product.Columns])));
        _steps.Add(new ProductStep { Nodes = [product.Node], Output = bare, A = x, B = weight.Transpose(0, 1) });
        var whole = bare.Reshape(product.Node.Output.Type.Shape)!;
        Add(LoopEmitter.Emit(LoopBuilder.Build(node.Body!, domain, value => inputs[value], outputs, whole, _isSizeless), _width, _isSizeless), node.Body!.Nodes, [.. outputs.Select(output => output.Buffer)]);
    }

    /// <summary>Products of more rows, which libtorch computes into our memory.</summary>
    private bool LowerProduct(Node node)
    {
        if (node.Inputs.Any(input => input.Type.DType is not (TorchSharp.torch.ScalarType.Float32 or TorchSharp.torch.ScalarType.BFloat16) || input.Type.Device != "cpu" || input.Type.Elements == 0))
        {
            return false;
        }

        var call = new OperatorCall(node.Operator, node.Arguments);
        if (node.Operator.Name == "aten::bmm")
        {
            _steps.Add(new ProductStep { Nodes = [node], Output = Target(node.Output), A = _layouts[call.Value("self")], B = _layouts[call.Value("mat2")] });
            return true;
        }

        if (MatrixProduct.Find(node) is not { } product)
        {
            return false;
        }

        Multiply(product, Target(node.Output));
        return true;
    }

    private void Multiply(MatrixProduct product, Layout target)
    {
        var rows = Shape.Create([product.Rows, product.Depth]);
        var x = _layouts[product.X].Reshape(rows) ?? Contiguous(_layouts[product.X], product.Node).Reshape(rows)!;
        var weight = _layouts[product.Weight];
        _steps.Add(new ProductStep
        {
            Nodes = [product.Node],
            Output = target.Reshape(Shape.Create([product.Rows, product.Columns]))!,
            A = x,
            B = product.IsTransposed ? weight.Transpose(0, 1) : weight,
            Bias = product.Bias is null || product.Beta == 0 ? null : _layouts[product.Bias],
            Alpha = product.Alpha,
            Beta = product.Beta,
        });
    }
}
