using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <content>Calls and new objects.</content>
internal sealed partial class Interpreter
{
    private static void AddCalls(Dictionary<ILOpCode, Handler> all)
    {
        all.Add(ILOpCode.Constrained, (_, f, i) => f.Constraint = (Type)f.Code.Resolve(i));
        all.Add(ILOpCode.Call, (x, f, i) => x.Call(f, (MethodBase)f.Code.Resolve(i), isVirtual: false));
        all.Add(ILOpCode.Callvirt, (x, f, i) => x.Call(f, (MethodBase)f.Code.Resolve(i), isVirtual: true));
        all.Add(ILOpCode.Newobj, (x, f, i) =>
        {
            var constructor = (ConstructorInfo)f.Code.Resolve(i);
            var arguments = PopArguments(f, constructor, withReceiver: false);
            x._caller = f;
            var made = x.Construct(constructor, arguments);
            if (!x.IsSuspended)
            {
                f.Push(made);
            }
        });
        all.Add(ILOpCode.Ldftn, (_, f, i) => f.Push(StackValue.Address(new FunctionPointer((MethodBase)f.Code.Resolve(i)))));
        all.Add(ILOpCode.Ldvirtftn, (_, f, i) =>
        {
            var receiver = f.Pop().Reference ?? throw new NullReferenceException();
            f.Push(StackValue.Address(new FunctionPointer(VirtualDispatch.Resolve((MethodInfo)f.Code.Resolve(i), receiver.GetType()))));
        });
    }

    private static StackValue[] PopArguments(Frame frame, MethodBase method, bool withReceiver)
    {
        var parameters = method.GetParameters();
        var first = withReceiver ? 1 : 0;
        var arguments = new StackValue[parameters.Length + first];
        for (var i = arguments.Length - 1; i >= first; i--)
        {
            arguments[i] = frame.Pop().As(parameters[i - first].ParameterType);
        }

        if (withReceiver)
        {
            arguments[0] = frame.Pop();
        }

        return arguments;
    }

    private void Call(Frame frame, MethodBase method, bool isVirtual)
    {
        var constraint = frame.Constraint;
        frame.Constraint = null;
        var arguments = PopArguments(frame, method, !method.IsStatic);
        _caller = frame;
        var result = Call(method, arguments, isVirtual, constraint);
        if (!IsSuspended && Returned(method) != typeof(void))
        {
            frame.Push(result);
        }
    }

    /// <summary>A call with the receiver first: an object, or the place of a value.</summary>
    internal StackValue Call(MethodBase method, StackValue[] arguments, bool isVirtual, Type? constraint)
    {
        if (constraint is not null)
        {
            (method, isVirtual) = Constrain((MethodInfo)method, arguments, constraint);
        }

        if (isVirtual && !method.IsStatic && arguments[0].Kind == ValueKind.Object)
        {
            var receiver = arguments[0].Reference ?? throw new NullReferenceException();
            method = VirtualDispatch.Resolve((MethodInfo)method, receiver.GetType());
        }

        if (!method.IsStatic && method.DeclaringType!.IsValueType && arguments[0].Kind == ValueKind.Object)
        {
            arguments[0] = StackValue.Address(new BoxLocation(arguments[0].Reference ?? throw new NullReferenceException()));
        }

        if (TryIntrinsic(method, arguments, out var result))
        {
            foreach (var place in SpanValue.IsSpan(method.DeclaringType!) && method.Name != "Fill" ? arguments.Where(argument => argument.IsInteger) : [])
            {
                observer.Computing(ILOpCode.Ldelema, place, default);
            }

            return result;
        }

        if (!observer.IsOpening && !arguments.Any(argument => argument.Reference is RefStructValue or Location { Type.IsByRefLike: true }))
        {
            return CallNative(method, arguments, isVirtual, isLeaf: false);
        }

        switch (observer.Classify(method))
        {
            case CallKind.Interpret when MethodCode.Of(method) is { } code:
                if ((code.Obstacle ?? (_frames.Count >= DeepestNesting ? "calls are nested too deep" : null)) is { } obstacle)
                {
                    observer.Closed(method, obstacle);
                    return IsSuspended ? default : CallNative(method, arguments, isVirtual, isLeaf: false);
                }

                return Execute(code, arguments);
            case var kind:
                return CallNative(method, arguments, isVirtual, kind == CallKind.Leaf);
        }
    }

    /// <summary>A new object or value.</summary>
    internal StackValue Construct(ConstructorInfo constructor, StackValue[] arguments)
    {
        var type = constructor.DeclaringType!;
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            return StackValue.Object(NewDelegate(type, arguments));
        }

        if (Intrinsics.TryConstruct(type, arguments, out var made))
        {
            return made;
        }

        var opens = observer.IsOpening || type.IsByRefLike;
        if (opens && !typeof(Exception).IsAssignableFrom(type) && observer.Classify(constructor) == CallKind.Interpret && MethodCode.Of(constructor) is { Obstacle: null } code)
        {
            if (type.IsValueType)
            {
                StackValue[] slot = [StackValue.Default(type)];
                Execute(code, [StackValue.Address(new SlotLocation(slot, 0, type)), .. arguments]);
                return slot[0];
            }

            var instance = RuntimeHelpers.GetUninitializedObject(type);
            observer.Created(instance);
            Execute(code, [StackValue.Object(instance), .. arguments]);
            return StackValue.Object(instance);
        }

        return ConstructNative(constructor, arguments);
    }

    private static (MethodInfo Method, bool IsVirtual) Constrain(MethodInfo method, StackValue[] arguments, Type type)
    {
        if (method.IsStatic)
        {
            return (VirtualDispatch.Resolve(method, type), false);
        }

        var place = Place(arguments[0]);
        if (!type.IsValueType)
        {
            arguments[0] = StackValue.Object(place.Load().Reference);
            return (method, true);
        }

        var own = VirtualDispatch.Resolve(method, type);
        if (own.DeclaringType == type || Nullable.GetUnderlyingType(type) is not null)
        {
            return (own, false);
        }

        arguments[0] = StackValue.Object(place.Load() is { Kind: ValueKind.Struct, Reference: { } box } ? ObjectCopy.Of(box) : place.Load().ToObject(type));
        return (method, true);
    }

    private Delegate NewDelegate(Type type, StackValue[] arguments)
    {
        var method = (MethodInfo)((FunctionPointer)arguments[1].Reference!).Method;
        var made = method.IsStatic && arguments[0].Reference is null
            ? Delegate.CreateDelegate(type, method)
            : Delegate.CreateDelegate(type, arguments[0].Reference, method);
        observer.Created(made);
        return made;
    }
}
