// One view per mount: created with the component, kept while its data changes, ended with it.

const views = new WeakMap();

const mounted = (View) => (component) => {
  const { parentElement: root } = component;
  let view = views.get(root);
  if (!view) views.set(root, (view = new View(root)));
  view.update(component.data, component.setStateValue);
  return () => {
    view.end();
    views.delete(root);
  };
};
